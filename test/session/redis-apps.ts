/** Apps that keep their sessions in Redis, with the packages apps use. Signing in is `/login?user=…`. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import { RedisStore } from 'connect-redis'
// @ts-expect-error: comes without types
import express from 'express'
// @ts-expect-error: comes without types
import expressSession from 'express-session'
import fastify from 'fastify'
import { createClient } from 'redis'

export interface App {
  /** The `Cookie` header a browser would send after this visit. */
  visit(path: string, cookie?: string): Promise<string>
  close(): Promise<void>
}

export async function connect(path: string) {
  const client = createClient({ socket: { path, tls: false } })
  client.on('error', () => {})
  await client.connect()
  return client
}

type Client = Awaited<ReturnType<typeof connect>>

function browser(base: string): App['visit'] {
  return async (path, cookie = '') => {
    const response = await fetch(base + path, { headers: { cookie } })
    await response.text()
    if (!response.ok) throw new Error(`${path}: ${response.status}`)
    const [set] = response.headers.getSetCookie()
    return set?.split(';')[0] ?? cookie
  }
}

/** @param secrets newest first */
export async function expressApp(client: Client, secrets: string[], maxAge?: number): Promise<App> {
  const app = express()
  const store = new RedisStore({ client })
  app.use(expressSession({ store, secret: secrets, resave: false, saveUninitialized: true, cookie: { maxAge } }))
  // biome-ignore lint/suspicious/noExplicitAny: express comes without types
  app.get('/login', (request: any, response: any) => {
    request.session.passport = { user: request.query.user }
    response.end('welcome')
  })
  // biome-ignore lint/suspicious/noExplicitAny: express comes without types
  app.get('/logout', (request: any, response: any) => request.session.destroy(() => response.end('bye')))
  // biome-ignore lint/suspicious/noExplicitAny: express comes without types
  app.get('/', (_: any, response: any) => response.end('hello'))
  const server = createServer(app).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    visit: browser(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

/** @param secrets newest first */
export async function fastifyApp(client: Client, secrets: string[]): Promise<App> {
  const app = fastify()
  await app.register(fastifyCookie)
  // biome-ignore lint/suspicious/noExplicitAny: made for express-session, as its documentation says it may be used
  const store = new RedisStore({ client }) as any
  await app.register(fastifySession, { secret: secrets, store, cookieName: 'sid', cookie: { secure: false } })
  app.get<{ Querystring: { user: string } }>('/login', async request => {
    request.session.set('user' as never, { id: Number(request.query.user) } as never)
    return 'welcome'
  })
  const base = await app.listen({ port: 0, host: '127.0.0.1' })
  return { visit: browser(base), close: () => app.close() }
}
