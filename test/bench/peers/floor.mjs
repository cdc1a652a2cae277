// (d) The floor of one-for-one in Node.js: node:http and an undici stream, the key and nothing else.
import { createServer } from 'node:http'
import { Pool } from 'undici'

const pool = new Pool(process.env.UPSTREAM, { connections: 128 })
createServer((request, response) => {
  pool.stream(
    {
      path: `/api/v1/workspace${request.url.slice('/logtrail'.length)}`,
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'content-length': request.headers['content-length'],
        'x-api-key': process.env.KEY
      },
      body: request
    },
    ({ statusCode, headers }) => {
      response.writeHead(statusCode, {
        'content-type': headers['content-type'],
        'content-length': headers['content-length']
      })
      return response
    },
    error => {
      if (error) response.destroy()
    }
  )
}).listen(Number(process.env.PORT), '127.0.0.1')
