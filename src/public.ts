import { randomUUID } from 'node:crypto'
import cors from '@fastify/cors'
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest, LogController } from 'fastify'
import type { RequestLine } from './admin/request-log.js'
import { createCountedAnswer } from './app/counted-answer.js'
import { createErrorAnswer } from './app/error-answer.js'
import { type IngestOptions, registerIngest } from './app/ingest.js'
import { otherMethods } from './app/other-methods.js'
import './app/visit.js'
import { type ErrorCode, HttpError } from './errors.js'
import { clientAddress, createAddresses, isForwarded } from './guard/address.js'
import { createAddressList } from './guard/address-list.js'
import { createConnectionLimit } from './guard/connection-limit.js'
import {
  ANSWER_HEADERS,
  CONNECTION_OPTIONS,
  createClientErrorAnswer,
  guardConnections,
  isCut,
  isValidRequest,
  onceOver,
  type RefusedConnection
} from './guard/connections.js'
import { createDrain, type Drain } from './guard/drain.js'
import { type Limits, limitExceeded, type Standing } from './guard/limits.js'
import { type OverloadOptions, refuseOverload } from './guard/overload.js'
import { createRoom } from './guard/room.js'
import { cutStalled } from './guard/stalled.js'

/**
 * The public listener: what a request meets, in the order in which it meets it. The order is a security property.
 *
 *  1. `rewriteUrl`: any spelling but the exact ones becomes one unknown address, and the query ends here
 *  2. is the program overloaded, or stopping (503)?
 *  3. the address is counted, and refused over its limit (429), before anything is read
 *  4. is it a valid request for one host (400), is there such an address (404), such a method (405)?
 *  5. does the request come from an allowed page (403)?
 *  6. whose session is it (401, 503)? The answer carries `X-Session-Tag` from here on
 *  7. the user is counted (429)
 *  8. is the body what it says it is (415), and is there room for it (503)? Then it is read, counted while it comes (413)
 *  9. the entries are checked, made safe and made to fit (400), and counted (429)
 * 10. delivery takes them
 */
export interface PublicOptions extends IngestOptions {
  /** Without a slash at its end; the empty one for routes at the root. */
  prefix: string
  trustProxy: readonly string[] | undefined
  /** Addresses that the address limit spares. Asked about an address once, and perhaps again. */
  isSpared: (address: string) => boolean
  /** Who sends: told for every request. */
  onAddress: (address: string) => void
  createLimits: (app: FastifyInstance) => Promise<Limits>
  /** What the plan allows, for a 429 of Logtrail that does not say so itself. */
  planLimit: (code: ErrorCode) => number
  logRequest: (line: () => RequestLine) => void
  /** A request is over. @param durationMs of what became a request; @param tag of its user, where there is one */
  onEnd: (status: number, errorCode: string, durationMs?: number, tag?: string) => void
  isStopping: () => boolean
  onOverload: OverloadOptions['onOverload']
  /** A forwarding header came from an address that is not trusted. */
  onUntrustedForwarding: (address: string) => void
  /** The browser client, as it is served. */
  client?: (app: FastifyInstance, path: string) => void
}

const NOWHERE = '/-'
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

export interface PublicListener {
  app: FastifyInstance
  /** The requests in flight. */
  drain: Drain<FastifyReply>
  /** Whether a request is in flight whose entries are not with delivery yet. */
  isReading(): boolean
  /** Answers 503 to every request that is not answered yet: whoever still waits when the time to drain is over. */
  giveUp(): void
}

export async function createPublicListener(options: PublicOptions): Promise<PublicListener> {
  const { prefix, metrics } = options
  const routes = { logs: `${prefix}/logs`, bulk: `${prefix}/logs/bulk`, client: `${prefix}/client.js` }
  const labels = new Map([
    [routes.logs, '/logs'],
    [routes.bulk, '/logs/bulk'],
    ...(options.client ? [[routes.client, '/client.js'] as const] : [])
  ])

  const refused = (what: RefusedConnection): void => {
    metrics.request('other', what.status, what.error_code)
    options.onEnd(what.status, what.error_code)
    options.logRequest(() => ({ route: 'other', ...what }))
  }
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
    clientErrorHandler: createClientErrorAnswer(refused, socket => overLimit(socket)),
    rewriteUrl(request) {
      const url = request.url!
      const end = url.indexOf('?')
      const path = end === -1 ? url : url.slice(0, end)
      return labels.has(path) ? path : NOWHERE
    }
  })
  const addressOf = createAddresses(options.isSpared)
  // not by `request.ips`: a trusted proxy that sends another of these headers, or none with an address in it, is trusted too
  const isTrusted = createAddressList(options.trustProxy ?? [])
  const answerHeaders = Object.entries(ANSWER_HEADERS)
  const invalid = new WeakSet<object>()
  const drain = createDrain<FastifyReply>()
  const room = createRoom(options.bodyLimit, () => options.onOverload('memory'))
  app.decorateRequest('visit', null as never)

  const limits = await options.createLimits(app)
  const overLimit = createConnectionLimit(limits, addressOf)
  cutStalled(app.server)
  guardConnections(app.server, (request, response) => app.routing(request, response), refused, overLimit)
  // before any other plugin: a route that one registers keeps the handler of that moment
  app.setErrorHandler(createCountedAnswer(limits, createErrorAnswer(options.planLimit)))

  const ended = (request: FastifyRequest, reply: FastifyReply): void => {
    const { visit } = request
    visit.body?.stop()
    room.give(visit)
    if (!visit.counted) {
      visit.counted = true
      void limits.uncounted?.(visit.caller, visit.asked)
    }
    const route = labels.get(request.url) ?? 'other'
    const gone = !reply.raw.writableFinished
    const status = gone ? CLIENT_GONE : reply.statusCode
    const errorCode = gone ? 'CLIENT_GONE' : visit.errorCode
    const duration = performance.now() - visit.startedAt
    metrics.request(route, status, errorCode)
    options.onEnd(status, errorCode, duration, visit.tag)
    options.logRequest(() => ({
      request_id: request.id,
      route,
      method: request.method,
      status,
      ...(errorCode ? { error_code: errorCode } : {}),
      ...(visit.entries ? { entries: visit.entries } : {}),
      ...(visit.tag ? { user: visit.tag } : {}),
      duration_ms: Math.round(duration * 100) / 100
    }))
  }

  app.addHook('onRequest', (request, reply, done) => {
    const { raw, headers } = request
    if (isCut(raw.socket)) return
    if (isForwarded(headers)) {
      const peer = clientAddress(undefined, raw.socket.remoteAddress)
      if (!isTrusted(peer)) options.onUntrustedForwarding(peer)
    }
    const { address, key, spared } = addressOf(request.ip, raw.socket.remoteAddress)
    options.onAddress(address)
    request.visit = {
      startedAt: performance.now(),
      address,
      caller: { addressKey: key, userId: undefined, spared },
      tag: undefined,
      entries: 0,
      errorCode: '',
      bytes: 0,
      share: undefined,
      body: undefined,
      reading: undefined,
      asked: false,
      counted: false,
      valid: isValidRequest(raw) && !invalid.has(raw.socket)
    }
    const place = drain.enter(reply)
    // not Fastify's onResponse, which is silent of a client that went away before its answer
    onceOver(reply, () => {
      drain.leave(place)
      ended(request, reply)
    })
    reply.header('x-request-id', request.id)
    for (const [name, value] of answerHeaders) reply.header(name, value)
    if (!request.visit.valid) {
      // Node.js has read on already: what stands behind an invalid request in the same packet must not run either
      invalid.add(raw.socket)
      reply.header('connection', 'close')
    }
    done()
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

  // what is refused of a preflight a page cannot read: it is answered all the same, here and below
  const isPreflight = (request: FastifyRequest) => request.method === 'OPTIONS' && labels.has(request.url)
  await refuseOverload(app, { spares: isPreflight, onOverload: options.onOverload })

  const passAddress = (request: FastifyRequest, standing: Standing | null): Error | undefined => {
    if (standing?.exceeded && !isPreflight(request)) {
      return limitExceeded('RATE_LIMIT_IP_EXCEEDED', standing)
    }
    if (!request.visit.valid) return new HttpError('BAD_REQUEST')
    // here and not by the handler of the unknown, which would read the body first, and with Fastify's own parsers
    // (@fastify/cors has a route for OPTIONS of any address, preflight or not)
    if (request.is404 || request.url === NOWHERE) return new HttpError('ROUTE_NOT_FOUND')
  }

  app.addHook('onRequest', (request, reply, done) => {
    if (options.isStopping()) {
      reply.header('connection', 'close')
      if (!isPreflight(request)) {
        done(shuttingDown())
        return
      }
    }
    const { caller } = request.visit
    if (caller.spared) done(passAddress(request, null))
    else limits.address(caller).then(standing => done(passAddress(request, standing)), done)
  })

  otherMethods(app, routes.logs, 'POST')
  otherMethods(app, routes.bulk, 'POST')
  if (options.client) {
    otherMethods(app, routes.client, 'GET')
    options.client(app, routes.client)
  }

  // a scope of its own for its hooks and parsers, without a prefix: @fastify/http-proxy would match that letter by letter
  await app.register(scope => registerIngest(scope, { ...options, limits, room, paths: routes }))
  return {
    app,
    drain,
    isReading() {
      for (const reply of drain.each()) if (!reply.sent && reply.request.visit.reading === undefined) return true
      return false
    },
    giveUp() {
      for (const reply of drain.each()) if (!reply.sent) reply.header('connection', 'close').send(shuttingDown())
    }
  }
}

function shuttingDown(): HttpError {
  return new HttpError('SHUTTING_DOWN', { retryAfter: 5 })
}
