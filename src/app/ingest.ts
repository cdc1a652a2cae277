import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from '../admin/metrics.js'
import type { IngestPaths, Read } from '../delivery/routes.js'
import type { Reader, Reading } from '../entry/reader.js'
import { RefusedEntries } from '../entry/refusal.js'
import { HttpError } from '../errors.js'
import { Body } from '../guard/body.js'
import { checkContent } from '../guard/content.js'
import { type Limits, limitExceeded, limitHeaders, type Standing } from '../guard/limits.js'
import { createOriginCheck } from '../guard/origin.js'
import type { Room } from '../guard/room.js'
import type { Session, SessionSource } from '../session/session.js'
import type { Visit } from './visit.js'

const NOT_THEIRS = "The session is another user's than X-Session-Tag names."

export interface IngestOptions {
  log: FastifyBaseLogger
  bodyLimit: number
  allowedOrigins: ReadonlySet<string>
  sessions: SessionSource
  /** Whether a request without a session is let in. */
  anonymous: boolean
  tag: (userId: string) => string
  reader: Reader
  metrics: Metrics
  /** Registers the two ingestion routes; `read` must run before anything is delivered. */
  delivery: (app: FastifyInstance, paths: IngestPaths, read: Read) => Promise<void> | void
}

/** Steps 5 to 10 of the public listener, on a scope of their own: see `public.ts`. */
export async function registerIngest(
  app: FastifyInstance,
  options: IngestOptions & { limits: Limits; room: Room; paths: IngestPaths }
): Promise<void> {
  const { sessions, limits, room, metrics, reader } = options
  const checkOrigin = createOriginCheck(options.allowedOrigins)

  const admit = (request: FastifyRequest, reply: FastifyReply, session: Session | null, byHeader: boolean): void => {
    if (byHeader && session?.via !== 'authorization') throw new HttpError('ORIGIN_FORBIDDEN')
    // the client's own precondition, as If-Match is: whose entries these are (README, "X-Session-Tag")
    const meant = request.headers['x-session-tag']
    if (session === null) {
      if (!options.anonymous || meant !== undefined) throw new HttpError('SESSION_MISSING')
      return
    }
    const tag = options.tag(session.userId)
    request.visit.caller.userId = session.userId
    request.visit.tag = tag
    reply.header('x-session-tag', tag)
    if (meant !== undefined && meant !== tag) throw new HttpError('SESSION_INVALID', { message: NOT_THEIRS })
  }

  const checkLimit = (request: FastifyRequest, reply: FastifyReply, standing: Standing | null): void => {
    if (standing) {
      if (standing.exceeded) {
        const anonymous = request.visit.caller.userId === undefined
        throw limitExceeded(anonymous ? 'RATE_LIMIT_ANONYMOUS_EXCEEDED' : 'RATE_LIMIT_USER_EXCEEDED', standing)
      }
      reply.headers(limitHeaders(standing))
    }
    checkContent(request.headers)
    room.check(request.headers)
  }

  /** Its body, which is read from the first time that it is asked for. */
  const bodyOf = ({ raw, visit }: FastifyRequest): Body => {
    visit.body ??= new Body(raw, options.bodyLimit, bytes => room.take(visit, bytes))
    return visit.body
  }

  // One hook, so that a request whose session is known passes it without a promise
  app.addHook('onRequest', (request, reply, done) => {
    const verdict = checkOrigin(request.headers, request.host)
    const byHeader = verdict === 'authorization'
    const count = (session: Session | null): void => {
      admit(request, reply, session, byHeader)
      const { visit } = request
      visit.asked = true
      checkLimit(request, reply, limits.request(visit.caller))
    }
    try {
      if (
        verdict === 'forbidden' ||
        (byHeader && !(sessions.readsAuthorization && request.headers.authorization !== undefined))
      ) {
        throw new HttpError('ORIGIN_FORBIDDEN')
      }
      const found = sessions.identify(request.headers)
      if (found instanceof Promise) {
        // what arrives meanwhile would wait in pieces, as many as the client likes to make
        bodyOf(request)
        found.then(count).then(() => done(), done)
        return
      }
      count(found)
      done()
    } catch (error) {
      done(error as Error)
    }
  })

  app.removeAllContentTypeParsers()
  app.addContentTypeParser(['application/json', 'text/plain'], (request, _stream, done) => bodyOf(request).whole(done))

  const takeEntries = (request: FastifyRequest, reply: FastifyReply, reading: Reading, standing: Standing | null) => {
    const { visit } = request
    visit.counted = true
    if (standing !== null) {
      if (standing.exceeded) {
        const anonymous = visit.caller.userId === undefined
        const code = standing.code ?? (anonymous ? 'RATE_LIMIT_ANONYMOUS_EXCEEDED' : 'RATE_LIMIT_LOGS_EXCEEDED')
        throw limitExceeded(code, standing)
      }
      if (standing.requests) reply.headers(limitHeaders(standing.requests))
    }
    visit.reading = reading
    metrics.entries('received', reading.received)
    metrics.entries('filtered', reading.filtered)
    metrics.entries('trimmed', reading.trimmed)
    metrics.entries('redacted', reading.redacted)
    if (reading.notes.length > 0) {
      options.log.debug({ request_id: request.id, fields: reading.notes }, 'entries changed on their way')
    }
  }

  /** Every entry of a request that is refused is in the books, twice. */
  const refuse = (visit: Visit, error: unknown): never => {
    if (error instanceof RefusedEntries) visit.entries = error.received
    metrics.entries('received', visit.entries)
    metrics.entries('rejected', visit.entries)
    throw error
  }

  await options.delivery(app, options.paths, (request, reply) => {
    const { visit } = request
    const body = request.body as Buffer
    const who = {
      userId: visit.caller.userId,
      ip: visit.address,
      userAgent: request.headers['user-agent'],
      requestId: request.id,
      receivedAt: Date.now()
    }
    try {
      const reading = request.url === options.paths.bulk ? reader.bulk(body, who) : reader.single(body, who)
      visit.entries = reading.received
      const standing = limits.entries(visit.caller, reading.received)
      if (!(standing instanceof Promise)) return takeEntries(request, reply, reading, standing)
      // by whoever is being asked, also where the client goes away meanwhile
      visit.counted = true
      return standing
        .then(known => takeEntries(request, reply, reading, known))
        .catch((error: unknown) => refuse(visit, error))
    } catch (error) {
      refuse(visit, error)
    }
  })
}
