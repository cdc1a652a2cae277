// (a) Bare @fastify/http-proxy: adds the key, does nothing else.
import proxy from '@fastify/http-proxy'
import fastify from 'fastify'

const app = fastify()
app.register(proxy, {
  upstream: process.env.UPSTREAM,
  prefix: '/logtrail',
  rewritePrefix: '/api/v1/workspace',
  replyOptions: { rewriteRequestHeaders: (_request, headers) => ({ ...headers, 'x-api-key': process.env.KEY }) }
})
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
