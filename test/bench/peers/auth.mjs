// An app's session address, as forward-auth asks it: whoever brings the cookie is user_123.
import { createServer } from 'node:http'

createServer((request, response) => {
  const known = request.headers.cookie !== undefined
  response.writeHead(known ? 200 : 401, known ? { 'x-auth-request-user': 'user_123' } : {})
  response.end()
}).listen(Number(process.env.PORT), '127.0.0.1')
