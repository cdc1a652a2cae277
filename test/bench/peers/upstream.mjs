// Answers every POST with 201 at once, or after DELAY ms; counts what came in on GET /.
import { createServer } from 'node:http'

const delay = Number(process.env.DELAY ?? 0)
let requests = 0
let bytes = 0
createServer((request, response) => {
  if (request.method === 'GET') return response.end(JSON.stringify({ requests, bytes }))
  requests += 1
  request.on('data', chunk => {
    bytes += chunk.length
  })
  request.on('end', () => {
    const answer = () => {
      response.writeHead(201, { 'content-type': 'application/json', 'content-length': 2 })
      response.end('{}')
    }
    if (delay > 0) setTimeout(answer, delay)
    else answer()
  })
}).listen(Number(process.env.PORT), '127.0.0.1')
