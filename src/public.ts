import { randomUUID } from 'node:crypto'
import cors from '@fastify/cors'
import fastify, {
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController
} from 'fastify'
import type { Metrics } from './admin/metrics.js'
import type { RequestLine } from './admin/request-log.js'
import type { Reader, Reading } from './entry/reader.js'
import { RefusedEntries } from './entry/refusal.js'
import { type ErrorCode, errorBody, HttpError } from './errors.js'
import { clientAddress, foldAddress } from './guard/address.js'
import { ANSWER_HEADERS, answerClientError, CONNECTION_OPTIONS, guardConnections } from './guard/connections.js'
import { checkContent } from './guard/content.js'
import { createDrain, type Drain } from './guard/drain.js'
import { type Limits, limitExceeded, limitHeaders, type Sender, type Standing } from './guard/limits.js'
import { createOriginCheck } from './guard/origin.js'
import type { Session, SessionSource } from './session/session.js'

/**
 * The public listener: what a request meets, in the order in which it meets it. The order is a security property.
 *
 *  1. `rewriteUrl`: any spelling but the exact ones becomes one unknown address, and the query ends here
 *  2. stopping? (503)
 *  3. the address is counted, and refused over its limit (429), before anything is read
 *  4. is there such an address (404), such a method (405)?
 *  5. does the request come from an allowed page (403)?
 *  6. whose session is it (401, 503)? The answer carries `X-Session-Tag` from here on
 *  7. the user is counted (429)
 *  8. is the body what it says it is (415)? Then it is read, counted while it comes (413)
 *  9. the entries are checked, made safe and made to fit (400), and counted (429)
 * 10. delivery takes them
 */
export interface PublicOptions {
  log: FastifyBaseLogger
  prefix: string
  bodyLimit: number
  trustProxy: readonly string[] | undefined
  allowedOrigins: ReadonlySet<string>
  /** Addresses that the address limit spares. */
  isSpared: (address: string) => boolean
  sessions: SessionSource
  /** Whether a request without a session is let in. */
  anonymous: boolean
  tag: (userId: string) => string
  reader: Reader
  createLimits: (app: FastifyInstance, sender: (request: FastifyRequest) => Sender) => Promise<Limits>
  metrics: Metrics
  /** What the plan allows, for a 429 of Logtrail that does not say so itself. */
  planLimit: (code: ErrorCode) => number
  logRequest: (line: RequestLine) => void
  isStopping: () => boolean
  /** A forwarding header came from an address that is not trusted. */
  onUntrustedForwarding: (address: string) => void
  /** Registers the two ingestion routes; `read` must run before their handler. */
  delivery: (
    app: FastifyInstance,
    read: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  ) => Promise<void> | void
  /** The browser client, as it is served. */
  client?: (app: FastifyInstance, path: string) => void
}

/** What this program knows of a request, besides what Fastify does. */
export interface Visit {
  startedAt: number
  address: string
  sender: Sender
  tag: string | undefined
  entries: number
  errorCode: string
  reading: Reading | undefined
  /** Its entries were asked for at the limits. */
  counted: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    visit: Visit
  }
}

const NOWHERE = '/-'
const EMPTY = Buffer.alloc(0)
/** As nginx counts it: the client closed the connection before its answer. */
const CLIENT_GONE = 499
const EXPOSED = [
  'Retry-After',
  'X-RateLimit-Limit',
  'X-RateLimit-Remaining',
  'X-RateLimit-Reset',
  'X-Request-Id',
  'X-Session-Tag'
]
const FORWARDING = ['x-forwarded-for', 'forwarded', 'x-real-ip'] as const

export interface PublicListener {
  app: FastifyInstance
  /** The requests in flight. */
  drain: Drain
  /** Whether a request is in flight whose entries are not with delivery yet. */
  isReading(): boolean
  /** Answers 503 to every request that is not answered yet: whoever still waits when the time to drain is over. */
  giveUp(): void
}

export async function createPublicListener(options: PublicOptions): Promise<PublicListener> {
  const { prefix, sessions, metrics, reader } = options
  const base = prefix === '/' ? '' : prefix
  const routes = { logs: `${base}/logs`, bulk: `${base}/logs/bulk`, client: `${base}/client.js` }
  const labels = new Map([
    [routes.logs, '/logs'],
    [routes.bulk, '/logs/bulk'],
    ...(options.client ? [[routes.client, '/client.js'] as const] : [])
  ])

  const app = fastify({
    ...CONNECTION_OPTIONS,
    loggerInstance: options.log,
    // no logger for each request: a child costs more than all our hooks, and the lines name their request themselves
    childLoggerFactory: logger => logger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: options.bodyLimit,
    trustProxy: options.trustProxy?.length ? [...options.trustProxy] : false,
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    exposeHeadRoutes: false,
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    clientErrorHandler: answerClientError,
    rewriteUrl(request) {
      const url = request.url!
      const end = url.indexOf('?')
      const path = end === -1 ? url : url.slice(0, end)
      return labels.has(path) ? path : NOWHERE
    }
  })
  const invalid = new WeakSet<object>()
  const open = new Set<FastifyReply>()
  const drain = createDrain()
  // before any plugin: a route that one registers keeps the handler of that moment
  app.setErrorHandler((error: FastifyError, request, reply) => answerError(error, request, reply))
  guardConnections(app.server, (request, response) => app.routing(request, response))
  app.decorateRequest('visit', null as never)

  const limits = await options.createLimits(app, request => request.visit.sender)

  const ended = (request: FastifyRequest, reply: FastifyReply): void => {
    const { visit } = request
    open.delete(reply)
    drain.leave()
    if (!visit.counted) limits.uncounted?.(visit.sender)
    const route = labels.get(request.url) ?? 'other'
    const gone = !reply.raw.writableFinished
    const status = gone ? CLIENT_GONE : reply.statusCode
    const errorCode = gone ? 'CLIENT_GONE' : visit.errorCode
    metrics.request(route, status, errorCode)
    options.logRequest({
      request_id: request.id,
      route,
      method: request.method,
      status,
      ...(errorCode ? { error_code: errorCode } : {}),
      ...(visit.entries ? { entries: visit.entries } : {}),
      ...(visit.tag ? { user: visit.tag } : {}),
      duration_ms: Math.round((performance.now() - visit.startedAt) * 100) / 100
    })
  }

  app.addHook('onRequest', (request, reply, done) => {
    const { raw, headers } = request
    // of a trusted proxy `ips` has the client's address besides the proxy's own, even where the two are the same
    if (FORWARDING.some(name => headers[name] !== undefined) && (request.ips?.length ?? 1) < 2) {
      options.onUntrustedForwarding(clientAddress(undefined, raw.socket.remoteAddress))
    }
    const address = clientAddress(request.ip, raw.socket.remoteAddress)
    request.visit = {
      startedAt: performance.now(),
      address,
      sender: { addressKey: foldAddress(address), userId: undefined, spared: options.isSpared(address) },
      tag: undefined,
      entries: 0,
      errorCode: '',
      reading: undefined,
      counted: false
    }
    drain.enter()
    open.add(reply)
    // not Fastify's onResponse, which is silent of a client that went away before its answer
    reply.raw.once('close', () => ended(request, reply))
    reply.header('x-request-id', request.id)
    for (const name in ANSWER_HEADERS) reply.header(name, ANSWER_HEADERS[name as keyof typeof ANSWER_HEADERS])
    if (headers.host === undefined || invalid.has(raw.socket)) {
      // Node.js has read on already: what stands behind an invalid request in the same packet must not run either
      invalid.add(raw.socket)
      reply.header('connection', 'close')
      done(new HttpError('BAD_REQUEST'))
    } else done()
  })

  if (options.allowedOrigins.size > 0) {
    // Registered before the first refusal that a page should be able to read. Preflights are answered by routes of our
    // own: the plugin's would answer for every address there is
    await app.register(cors, {
      origin: (origin, done) => done(null, origin !== undefined && options.allowedOrigins.has(origin) ? origin : false),
      credentials: true,
      exposedHeaders: EXPOSED,
      preflight: false
    })
  }

  app.addHook('onRequest', async (request, reply) => {
    if (options.isStopping()) {
      reply.header('connection', 'close')
      throw shuttingDown()
    }
    const { sender } = request.visit
    const standing = sender.spared ? null : await limits.address(request, sender)
    // a preflight over the limit is counted and answered all the same: refused, the page could not read the 429 to come
    if (standing?.exceeded && !(request.method === 'OPTIONS' && labels.has(request.url))) {
      throw limitExceeded('RATE_LIMIT_IP_EXCEEDED', standing)
    }
    // here and not by the handler of the unknown, which would read the body first, and with Fastify's own parsers
    // (@fastify/cors has a route for OPTIONS of any address, preflight or not)
    if (request.is404 || request.url === NOWHERE) throw new HttpError('ROUTE_NOT_FOUND')
  })

  const preflight = (path: string, method: string) => {
    app.route({
      url: path,
      method: 'OPTIONS',
      // before the body is read, here and below: what it holds does not matter
      onRequest(_request, reply) {
        if (reply.getHeader('access-control-allow-origin') !== undefined) {
          reply.header('access-control-allow-methods', method)
          reply.header('access-control-allow-headers', 'Content-Type, Authorization, Idempotency-Key')
          reply.header('access-control-max-age', '600')
        }
        reply.code(204).send()
      },
      handler() {}
    })
    const others = app.supportedMethods.filter(other => other !== method && other !== 'OPTIONS')
    app.route({
      url: path,
      method: others,
      onRequest(_request, reply, done) {
        reply.header('allow', `${method}, OPTIONS`)
        done(new HttpError('METHOD_NOT_ALLOWED'))
      },
      handler() {}
    })
  }
  preflight(routes.logs, 'POST')
  preflight(routes.bulk, 'POST')
  if (options.client) {
    preflight(routes.client, 'GET')
    options.client(app, routes.client)
  }

  await app.register(
    async ingest => {
      const checkOrigin = createOriginCheck(options.allowedOrigins)

      const admit = (
        request: FastifyRequest,
        reply: FastifyReply,
        session: Session | null,
        byHeader: boolean
      ): void => {
        if (byHeader && session?.via !== 'authorization') throw new HttpError('ORIGIN_FORBIDDEN')
        if (session === null) {
          if (!options.anonymous) throw new HttpError('SESSION_MISSING')
          return
        }
        const tag = options.tag(session.userId)
        request.visit.sender.userId = session.userId
        request.visit.tag = tag
        reply.header('x-session-tag', tag)
      }

      const checkLimit = (request: FastifyRequest, reply: FastifyReply, standing: Standing | null): void => {
        if (standing) {
          if (standing.exceeded) {
            const anonymous = request.visit.sender.userId === undefined
            throw limitExceeded(anonymous ? 'RATE_LIMIT_ANONYMOUS_EXCEEDED' : 'RATE_LIMIT_USER_EXCEEDED', standing)
          }
          reply.headers(limitHeaders(standing))
        }
        checkContent(request.headers)
      }

      // One hook, so that a request whose session is known passes it without a promise
      ingest.addHook('onRequest', (request, reply, done) => {
        const verdict = checkOrigin(request.headers, request.host)
        const byHeader = verdict === 'authorization'
        const count = (session: Session | null): void | Promise<void> => {
          admit(request, reply, session, byHeader)
          const standing = limits.request(request.visit.sender)
          if (standing instanceof Promise) return standing.then(state => checkLimit(request, reply, state))
          checkLimit(request, reply, standing)
        }
        try {
          if (
            verdict === 'forbidden' ||
            (byHeader && !(sessions.readsAuthorization && request.headers.authorization !== undefined))
          ) {
            throw new HttpError('ORIGIN_FORBIDDEN')
          }
          const found = sessions.identify(request.headers)
          const counted = found instanceof Promise ? found.then(count) : count(found)
          if (counted instanceof Promise) counted.then(() => done(), done)
          else done()
        } catch (error) {
          done(error as Error)
        }
      })

      ingest.removeAllContentTypeParsers()
      ingest.addContentTypeParser(
        ['application/json', 'text/plain'],
        { parseAs: 'buffer', bodyLimit: options.bodyLimit },
        (_request, body, done) => done(null, body)
      )

      const countEntries = async ({ visit }: FastifyRequest, reply: FastifyReply, received: number): Promise<void> => {
        const standing: Standing | null = await limits.entries(visit.sender, received)
        visit.counted = true
        if (standing?.exceeded) {
          const anonymous = visit.sender.userId === undefined
          const code = standing.code ?? (anonymous ? 'RATE_LIMIT_ANONYMOUS_EXCEEDED' : 'RATE_LIMIT_LOGS_EXCEEDED')
          throw limitExceeded(code, standing)
        }
        if (standing?.requests) reply.headers(limitHeaders(standing.requests))
      }

      await options.delivery(ingest, async (request, reply) => {
        const { visit } = request
        const bulk = request.url === routes.bulk
        const who = {
          userId: visit.sender.userId,
          ip: visit.address,
          userAgent: request.headers['user-agent'],
          requestId: request.id,
          receivedAt: Date.now()
        }
        const body = (request.body as Buffer | undefined) ?? EMPTY
        try {
          const reading = bulk ? reader.bulk(body, who) : reader.single(body, who)
          visit.entries = reading.received
          await countEntries(request, reply, reading.received)
          visit.reading = reading
          metrics.entries('filtered', reading.filtered)
          metrics.entries('trimmed', reading.trimmed)
          metrics.entries('redacted', reading.redacted)
          if (reading.notes.length > 0) {
            options.log.debug({ request_id: request.id, fields: reading.notes }, 'entries changed on their way')
          }
        } catch (error) {
          if (error instanceof RefusedEntries) visit.entries = error.received
          metrics.entries('rejected', visit.entries)
          throw error
        } finally {
          metrics.entries('received', visit.entries)
        }
      })
    },
    { prefix: base }
  )
  return {
    app,
    drain,
    isReading() {
      for (const reply of open) if (!reply.sent && reply.request.visit.reading === undefined) return true
      return false
    },
    giveUp() {
      for (const reply of open) if (!reply.sent) reply.header('connection', 'close').send(shuttingDown())
    }
  }

  /** The one place where an error becomes an answer: 4xx as they are, everything else says nothing of the inside. */
  function answerError(error: Error, request: FastifyRequest, reply: FastifyReply): void {
    const known = toHttpError(error)
    if (known.statusCode >= 500) {
      const level = known.code === 'INTERNAL_ERROR' ? 'error' : 'warn'
      request.log[level](
        { err: known.cause ?? error, error_code: known.code, request_id: request.id },
        'request failed'
      )
    }
    if (request.visit) request.visit.errorCode = known.code
    if (known.retryAfter !== undefined) reply.header('retry-after', known.retryAfter)
    // those of the user's own limit are set already, and would say of Logtrail's refusal that there is more to spend
    if (known.statusCode === 429) reply.headers(spentHeaders(options.planLimit(known.code), known.retryAfter!))
    if (known.headers) reply.headers(known.headers)
    reply
      .code(known.statusCode)
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(errorBody(known, request.id)))
  }
}

function spentHeaders(limit: number, retryAfter: number): Record<string, number> {
  return limitHeaders({ limit, remaining: 0, reset: Math.ceil(Date.now() / 1000) + retryAfter })
}

function shuttingDown(): HttpError {
  return new HttpError('SHUTTING_DOWN', { retryAfter: 5 })
}

/** Fastify's own refusals, by code. */
const FASTIFY_ERRORS: Record<string, ErrorCode> = {
  FST_ERR_CTP_BODY_TOO_LARGE: 'BODY_TOO_LARGE',
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'VALIDATION_INVALID_CONTENT_TYPE',
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: 'BAD_REQUEST',
  FST_ERR_CTP_EMPTY_JSON_BODY: 'VALIDATION_EMPTY_BODY',
  ECONNRESET: 'BAD_REQUEST'
}

function toHttpError(error: Error): HttpError {
  if (error instanceof HttpError) return error
  return new HttpError(FASTIFY_ERRORS[(error as FastifyError).code] ?? 'INTERNAL_ERROR', { cause: error })
}
