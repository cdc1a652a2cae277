import { createHmac } from 'node:crypto'
import { type Addresses, createServer, type Server } from '../../src/app.js'
import { loadConfig } from '../../src/config.js'
import { freePort } from './free-port.js'
import { type Logtrail, type LogtrailOptions, startLogtrail } from './logtrail/logtrail.js'

export const SECRET = 'a secret for tests alone, longer than 32 bytes'

/** A signed session (HS256), valid for an hour unless `claims` say otherwise. */
export function sign(claims: Record<string, unknown> = {}, secret: string = SECRET, header = { alg: 'HS256' }): string {
  const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const now = Math.floor(Date.now() / 1000)
  const head = `${part({ typ: 'JWT', ...header })}.${part({ sub: 'ada', iat: now, exp: now + 3600, ...claims })}`
  return `${head}.${createHmac('sha256', secret).update(head).digest('base64url')}`
}

/** An entry that Logtrail takes as it is. */
export function entry(more: Record<string, unknown> = {}): Record<string, unknown> {
  return { action: 'test.happened', level: 'info', clientTimestamp: '2026-03-01T12:00:00.123Z', ...more }
}

export interface Answer {
  status: number
  headers: Headers
  text: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of any form
  body: any
}

export interface Program {
  logtrail: Logtrail
  server: Server & Addresses
  url: string
  admin: string
  /** Every log line so far, as it left. */
  lines: string[]
  /** Posts JSON as a same-origin page of the user `sub` would; `headers` with undefined takes one away. */
  post(body: unknown, how?: PostOptions): Promise<Answer>
  get(path: string): Promise<Answer>
}

export interface PostOptions {
  path?: string
  headers?: Record<string, string | undefined>
  /** The user of the session; null: no session. */
  user?: string | null
  method?: string
}

export interface ProxyOptions {
  env?: Record<string, string>
  logtrail?: LogtrailOptions
  ca?: string
}

interface Teardown {
  teardown(handler: () => Promise<void> | void): void
}

/** The program in this process, before a stand-in of Logtrail, both on loopback; ended with the test. */
export async function startProxy(
  t: Teardown,
  { env = {}, logtrail: options = {}, ca }: ProxyOptions = {}
): Promise<Program> {
  const logtrail = await startLogtrail(options)
  t.teardown(() => logtrail.close())
  const lines: string[] = []
  const config = loadConfig({
    cwd: '/nowhere',
    env: {
      PORT: '0',
      ADMIN_PORT: '0',
      LOG_LEVEL: 'trace',
      LOGTRAIL_API_KEY: logtrail.key,
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_PLAN: 'professional',
      SESSION_MODE: 'jwt',
      SESSION_JWT_SECRET: SECRET,
      DELIVERY: 'direct',
      ...env
    }
  })
  if (env.ADMIN_PORT === undefined) config.ADMIN_PORT = await freePort()
  const created = createServer(config, {
    logDestination: { write: line => void lines.push(line) },
    ...(ca === undefined ? {} : { ca })
  })
  const server = { ...created, ...(await created.start()) }
  t.teardown(() => server.close())

  const send = async (path: string, init: RequestInit, base = server.publicUrl): Promise<Answer> => {
    const response = await fetch(base + path, { ...init, redirect: 'manual' })
    const text = await response.text()
    const json = response.headers.get('content-type')?.startsWith('application/json') && text !== ''
    return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined }
  }
  return {
    logtrail,
    server,
    url: server.publicUrl,
    admin: server.adminUrl ?? '',
    lines,
    post(body, { path = '/logtrail/logs', headers = {}, user = 'ada', method = 'POST' } = {}) {
      const all: Record<string, string | undefined> = {
        'content-type': 'application/json',
        'sec-fetch-site': 'same-origin',
        cookie: user === null ? undefined : `session=${sign({ sub: user })}`,
        ...headers
      }
      const sent = Object.entries(all).filter((pair): pair is [string, string] => pair[1] !== undefined)
      const raw = typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
      return send(path, { method, headers: sent, ...(raw === undefined ? {} : { body: raw }) })
    },
    get: path => send(path, {}, path.startsWith('/logtrail') ? server.publicUrl : server.adminUrl)
  }
}
