// (b) What one would put together by hand: Fastify with jwt, cookie, cors, rate-limit and http-proxy.
import cookie from '@fastify/cookie'
import cors from '@fastify/cors'
import proxy from '@fastify/http-proxy'
import jwt from '@fastify/jwt'
import rateLimit from '@fastify/rate-limit'
import fastify from 'fastify'

const app = fastify()
await app.register(cors, { origin: ['https://app.example'], credentials: true })
await app.register(cookie)
await app.register(jwt, { secret: process.env.SECRET, cookie: { cookieName: 'session', signed: false } })
await app.register(rateLimit, { max: 1_000_000_000, timeWindow: '1 minute' })
app.addHook('onRequest', request => request.jwtVerify())
app.register(proxy, {
  upstream: process.env.UPSTREAM,
  prefix: '/logtrail',
  rewritePrefix: '/api/v1/workspace',
  replyOptions: { rewriteRequestHeaders: (_request, headers) => ({ ...headers, 'x-api-key': process.env.KEY }) }
})
await app.listen({ port: Number(process.env.PORT), host: '127.0.0.1' })
