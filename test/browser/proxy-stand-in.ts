import { createHash } from 'node:crypto'
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { bundle } from '../../src/build/modules.js'

export interface Received {
  user: string | undefined
  status: number
  at: number
  type: string | undefined
  bytes: number
  entries: { action: string; level: string; clientTimestamp: string; [field: string]: unknown }[]
}

export interface Answer {
  status: number
  headers?: Record<string, string>
  body?: unknown
  /** Of something in between, which knows no session. */
  foreign?: boolean
}

export interface StandIn {
  origin: string
  /** Each request with entries or without, in order. */
  requests: Received[]
  /** Resolves once what the server has seen passes; rejects with what that was where it does not in a minute. */
  until<T>(probe: (standIn: StandIn) => T | false | undefined | null): Promise<T>
  /** `user/action` of what was taken with 201, in order. */
  taken(): string[]
  /** Answers in place of the usual, at once or later; undefined: the usual. */
  answer: (
    user: string | undefined,
    entries: Received['entries'],
    request: IncomingMessage
  ) => Answer | undefined | Promise<Answer | undefined>
  /** Pages by path, HTML. */
  pages: Record<string, string>
  scripts: Record<string, string>
  /** Headers of each page. */
  pageHeaders: Record<string, string>
  allowedOrigins: string[]
  close(): Promise<void>
  /** Stops listening; `listen` starts again at the same port. */
  silence(): Promise<void>
  listen(): Promise<void>
}

/** Milliseconds for what a test waits for: longer than a claim holds, shorter than a test file may take. */
const PATIENCE = 60_000

export const tagOf = (user: string): string => createHash('sha256').update(user).digest('base64url').slice(0, 12)

const client = bundle('client')

/** Speaks the public listener's part of the interface: session by the cookie `session=<user>`, tags both ways, CORS, 400 for nothing. */
export async function startStandIn(): Promise<StandIn> {
  const events = new EventEmitter().setMaxListeners(0)
  const standIn: StandIn = {
    origin: '',
    requests: [],
    answer: () => undefined,
    pages: {},
    scripts: {},
    pageHeaders: {},
    allowedOrigins: [],
    taken: () =>
      standIn.requests.flatMap(({ user, status, entries }) =>
        status === 201 ? entries.map(({ action }) => `${user}/${action}`) : []
      ),
    async until(probe) {
      const signal = AbortSignal.timeout(PATIENCE)
      for (;;) {
        const result = probe(standIn)
        if (result) return result
        await once(events, 'request', { signal }).catch(() => {
          const seen = standIn.requests.map(({ user, status, entries }) => `${user} ${status} ${entries.length}`)
          throw new Error(`nothing more within ${PATIENCE} ms of: ${seen.join(', ')}`)
        })
      }
    },
    async close() {
      server.closeAllConnections()
      if (server.listening) await new Promise(done => server.close(done))
    },
    silence: () => standIn.close(),
    async listen() {
      server.listen(standIn.origin ? Number(new URL(standIn.origin).port) : 0, '127.0.0.1')
      await once(server, 'listening')
      standIn.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    }
  }

  const server = createServer((request, response) => {
    handle(request, response).catch(error => response.destroy(error))
  })

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!.split('?')[0]!
    const { origin } = request.headers
    const cors: Record<string, string> =
      origin && standIn.allowedOrigins.includes(origin)
        ? {
            'access-control-allow-origin': origin,
            'access-control-allow-credentials': 'true',
            'access-control-expose-headers': 'Retry-After, X-Request-Id, X-Session-Tag',
            vary: 'Origin'
          }
        : {}
    const say = (status: number, headers: Record<string, string>, body: string): void => {
      response.writeHead(status, { ...cors, ...headers })
      response.end(body)
    }
    if (request.method === 'OPTIONS') {
      return say(204, { 'access-control-allow-methods': 'POST', 'access-control-allow-headers': 'content-type' }, '')
    }
    if (path === '/logtrail/client.js') {
      const type = { 'content-type': 'text/javascript; charset=utf-8' }
      return say(200, origin && !cors.vary ? { ...type, 'access-control-allow-origin': '*' } : type, client)
    }
    if (standIn.scripts[path]) return say(200, { 'content-type': 'text/javascript' }, standIn.scripts[path])
    if (path !== '/logtrail/logs/bulk') {
      const page = standIn.pages[path]
      return say(page ? 200 : 404, { 'content-type': 'text/html; charset=utf-8', ...standIn.pageHeaders }, page ?? '')
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const body = Buffer.concat(chunks)
    const entries = JSON.parse(body.toString())
    const user = /(?:^|; )session=([^;]+)/.exec(request.headers.cookie ?? '')?.[1]
    const foreign = origin && origin !== standIn.origin && !cors.vary
    const usual: Answer = foreign
      ? { status: 403, body: { error_code: 'ORIGIN_FORBIDDEN' } }
      : !user
        ? { status: 401, body: { error_code: 'SESSION_MISSING' } }
        : entries.length
          ? { status: 201, body: { accepted: entries.length } }
          : { status: 400, body: { error_code: 'VALIDATION_FAILED', message: 'At least one entry.' } }
    const meant = request.headers['x-session-tag']
    const others: Answer | undefined =
      user && meant && meant !== tagOf(user) ? { status: 401, body: { error_code: 'SESSION_INVALID' } } : undefined
    const answer = others ?? (await standIn.answer(user, entries, request)) ?? usual
    standIn.requests.push({
      user,
      status: answer.status,
      at: Date.now(),
      type: request.headers['content-type'],
      bytes: body.length,
      entries
    })
    const tag: Record<string, string> = user && !foreign && !answer.foreign ? { 'x-session-tag': tagOf(user) } : {}
    say(
      answer.status,
      { 'content-type': 'application/json', ...tag, ...answer.headers },
      typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body ?? {})
    )
    events.emit('request')
  }

  await standIn.listen()
  return standIn
}
