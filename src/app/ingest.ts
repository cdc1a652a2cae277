import type { FastifyBaseLogger, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Metrics } from '../admin/metrics.js'
import type { Reader } from '../entry/reader.js'
import { RefusedEntries } from '../entry/refusal.js'
import { HttpError } from '../errors.js'
import { checkContent } from '../guard/content.js'
import { type Limits, limitExceeded, limitHeaders, type Standing } from '../guard/limits.js'
import { createOriginCheck } from '../guard/origin.js'
import type { Room } from '../guard/room.js'
import type { Session, SessionSource } from '../session/session.js'
import './visit.js'

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
  /** Registers the two ingestion routes; `read` must run before their handler. */
  delivery: (
    app: FastifyInstance,
    read: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  ) => Promise<void> | void
}

/** Steps 5 to 10 of the public listener, on a scope of their own: see `public.ts`. */
export async function registerIngest(
  app: FastifyInstance,
  options: IngestOptions & { limits: Limits; room: Room; bulkUrl: string }
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
    request.visit.sender.userId = session.userId
    request.visit.tag = tag
    reply.header('x-session-tag', tag)
    if (meant !== undefined && meant !== tag) throw new HttpError('SESSION_INVALID', { message: NOT_THEIRS })
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
    request.visit.bytes = room.take(request.headers)
  }

  // One hook, so that a request whose session is known passes it without a promise
  app.addHook('onRequest', (request, reply, done) => {
    const verdict = checkOrigin(request.headers, request.host)
    const byHeader = verdict === 'authorization'
    const count = (session: Session | null): void => {
      admit(request, reply, session, byHeader)
      checkLimit(request, reply, limits.request(request.visit.sender))
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
  app.addContentTypeParser(
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

  await options.delivery(app, async (request, reply) => {
    const { visit } = request
    const bulk = request.url === options.bulkUrl
    const who = {
      userId: visit.sender.userId,
      ip: visit.address,
      userAgent: request.headers['user-agent'],
      requestId: request.id,
      receivedAt: Date.now()
    }
    const body = request.body as Buffer
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
}
