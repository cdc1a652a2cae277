import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import { forward } from './forward.js'
import type { Sessions } from './session.js'
import { USERS } from './users.js'

const TYPES: Record<string, string> = {
  html: 'text/html; charset=utf-8',
  css: 'text/css; charset=utf-8',
  js: 'text/javascript; charset=utf-8',
  svg: 'image/svg+xml'
}
const SECURITY = {
  'content-security-policy': "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin'
}
const PAGE = new URL('./page/', import.meta.url)

export interface AppServerOptions {
  sessions: Sessions
  /** Where the proxy listens; looked up at each request, it may start after this server. */
  proxyPort: () => number
  /** http://host:port of the Logtrail stand-in. */
  logtrailOrigin: string
  /** Told to the page as they are: addresses to look at. */
  about: () => Record<string, string>
}

/** The demo app: a page, a login, and the proxy on the same origin under /logtrail. */
export function createAppServer({ sessions, proxyPort, logtrailOrigin, about }: AppServerOptions): Server {
  const json = (res: ServerResponse, body: unknown) => {
    res.writeHead(200, { 'content-type': 'application/json', 'cache-control': 'no-store', ...SECURITY })
    res.end(JSON.stringify(body))
  }
  const empty = (res: ServerResponse, status: number, headers = {}) => {
    res.writeHead(status, { 'cache-control': 'no-store', ...SECURITY, ...headers })
    res.end()
  }

  async function page(res: ServerResponse, path: string): Promise<void> {
    const name = path === '/' ? 'index.html' : path.slice(1)
    if (!/^[a-z-]+\.(html|css|js|svg)$/.test(name)) return empty(res, 404)
    try {
      const body = await readFile(fileURLToPath(new URL(name, PAGE)))
      res.writeHead(200, { 'content-type': TYPES[name.split('.')[1]!], 'cache-control': 'no-cache', ...SECURITY })
      res.end(body)
    } catch {
      empty(res, 404)
    }
  }

  async function login(req: IncomingMessage, res: ServerResponse): Promise<void> {
    let text = ''
    for await (const chunk of req.setEncoding('utf8')) {
      text += chunk
      if (text.length > 1000) return empty(res, 413)
    }
    const user = USERS.find(({ id }) => text === JSON.stringify({ user: id }))
    empty(res, user ? 204 : 400, user ? { 'set-cookie': sessions.begin(user.id) } : {})
  }

  /** What arrived at Logtrail, as it arrives: the stand-in's own events, handed through. */
  async function arrivals(res: ServerResponse): Promise<void> {
    const abort = new AbortController()
    res.on('close', () => abort.abort())
    try {
      const events = await fetch(`${logtrailOrigin}/_standin/events`, { signal: abort.signal })
      res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store', ...SECURITY })
      for await (const chunk of events.body!) res.write(chunk)
      res.end()
    } catch {
      res.destroy()
    }
  }

  return createServer({ keepAliveTimeout: 5_000 }, (req, res) => {
    const url = req.url!
    const path = url.split('?', 1)[0]!
    const route = `${req.method} ${path}`
    if (path === '/logtrail' || path.startsWith('/logtrail/')) return forward(req, res, proxyPort())
    if (req.method === 'GET' && path !== '/session' && path !== '/arrivals' && path !== '/about') {
      return void page(res, path)
    }
    // Another site can make a browser send this cookie along with a form, so only this page may begin or end a session.
    const site = req.headers['sec-fetch-site']
    if (req.method !== 'GET' && site !== undefined && site !== 'same-origin') return empty(res, 403)
    if (route === 'GET /session') {
      const id = sessions.read(req.headers.cookie)
      return json(res, { user: USERS.find(user => user.id === id) ?? null, users: USERS })
    }
    if (route === 'GET /about') return json(res, about())
    if (route === 'GET /arrivals') return void arrivals(res)
    if (route === 'POST /session') return void login(req, res)
    if (route === 'DELETE /session') return empty(res, 204, { 'set-cookie': sessions.end() })
    empty(res, 405)
  })
}
