// (c) The same on Express 5: http-proxy-middleware, express-rate-limit, jsonwebtoken.
import cookies from 'cookie-parser'
import express from 'express'
import rateLimit from 'express-rate-limit'
import { createProxyMiddleware } from 'http-proxy-middleware'
import jsonwebtoken from 'jsonwebtoken'

const app = express()
app.use(rateLimit({ windowMs: 60_000, limit: 1_000_000_000 }))
app.use(cookies())
app.use((request, response, next) => {
  try {
    request.user = jsonwebtoken.verify(request.cookies.session, process.env.SECRET)
    next()
  } catch {
    response.status(401).end()
  }
})
app.use(
  '/logtrail',
  createProxyMiddleware({
    target: `${process.env.UPSTREAM}/api/v1/workspace`,
    headers: { 'x-api-key': process.env.KEY }
  })
)
app.listen(Number(process.env.PORT), '127.0.0.1')
