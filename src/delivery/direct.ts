import type { IncomingHttpHeaders } from 'node:http'
import httpProxy from '@fastify/http-proxy'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Clock, systemClock } from '../clock.js'
import type { HttpError } from '../errors.js'
import type { ProxiedResponse, UpstreamAnswer } from '../logtrail/answer.js'
import type { LogtrailClient } from '../logtrail/client.js'
import { UpstreamFault } from '../logtrail/fault.js'
import { judge, passOn, toHttpError, type Verdict } from '../logtrail/verdict.js'
import { QUOTA_PROBE } from './budget.js'
import { type IngestPaths, inRequest, type Read } from './routes.js'

export interface DirectOptions {
  paths: IngestPaths
  client: LogtrailClient
  /** Logtrail's base address, from configuration. */
  baseUrl: string
  /** Reads and checks the entries before anything is sent; runs as the plugin's preHandler. */
  read: Read
  /** The checked entries of a request whose `read` has passed. */
  entries: (request: FastifyRequest) => readonly string[]
  /** Where entries of the request were left out: for each that is sent its index in the request. */
  positions: (request: FastifyRequest) => readonly number[] | undefined
  /** How many entries of the request Logtrail took, or did not; told once for each request. */
  onSettled: (request: FastifyRequest, delivered: boolean) => void
  /** Answers a request of which nothing is left to send, since all its entries were filtered. */
  nothingToSend: (request: FastifyRequest, reply: FastifyReply) => FastifyReply
  clock?: Pick<Clock, 'now' | 'wall'>
}

const NO_HEADERS: IncomingHttpHeaders = Object.freeze({})

/** Verdicts by which Logtrail has looked at the entries, so that nothing is spent. */
const DEALT_WITH: ReadonlySet<Verdict['kind']> = new Set(['delivered', 'refused', 'too-many'])

/** A 429 of Logtrail that lasts. */
interface Limited {
  /** ms that are left of it, 0 or less when it is over. */
  left: () => number
  error: (retryAfter: number) => HttpError
  /** When, by the clock that only goes forward, one request may go to ask; without end where that would only lengthen it. */
  askAt: number
  /** The request that asks. */
  asking?: FastifyRequest
}

/**
 * One request to Logtrail for each request of a browser, by @fastify/http-proxy, answered with Logtrail's answer.
 *
 * The plugin by itself would stream the body past `bodyLimit`, copy every header both ways and build the address from
 * the request. Here its routes are two, `reply.from` sends to a constant address the body that was checked, and its
 * connection is the one client that knows Logtrail (`undici` takes any object with `request`): so certificates are
 * verified, redirects end, nothing is retried, and only the allowlist of headers passes either way.
 *
 * While a 429 of Logtrail lasts, requests are answered here: each one sent would only lengthen it. Of a spent month one
 * request an hour asks whether it still is.
 */
export async function direct(app: FastifyInstance, options: DirectOptions): Promise<void> {
  const { client, entries, positions, onSettled, nothingToSend, clock = systemClock } = options
  const base = new URL(options.baseUrl)
  const root = base.pathname.replace(/\/+$/, '')
  const addresses = { logs: `${root}/logs`, bulk: `${root}/logs/bulk` }
  let limited: Limited | undefined

  const settle = (request: FastifyRequest, reply: FastifyReply, answer: UpstreamAnswer): void => {
    const date = clock.wall()
    const verdict = judge(answer, date)
    tell(request, reply, answer, verdict, date)
    // last, since of what fails before it `failed` tells
    onSettled(request, verdict.kind === 'delivered')
  }

  const tell = (
    request: FastifyRequest,
    reply: FastifyReply,
    answer: UpstreamAnswer,
    verdict: Verdict,
    date: number
  ): void => {
    // of those that were under way before none says that the month is no longer spent
    if (limited?.asking === request && DEALT_WITH.has(verdict.kind)) limited = undefined
    // told 503 already, since this program ends: the books alone want to know
    if (reply.sent) return
    if (verdict.kind === 'delivered') {
      const { status, headers, body } = passOn(answer)
      // as text, which goes out in one piece with the headers; an empty one would go out as text/plain
      reply
        .code(status)
        .headers(headers)
        .send(body.length === 0 ? undefined : body.toString())
      return
    }
    const error = toHttpError(inBrowsersWords(request, verdict), answer, date)
    if (error.statusCode === 429) {
      // of a 429 both are always there
      const { retryAfter } = error as HttpError & { retryAfter: number }
      const at = clock.now()
      const told = (left: number) => error.with({ retryAfter: left, cause: undefined })
      if (verdict.kind === 'quota') {
        const { untilMs } = verdict
        // a date stays one, whatever becomes of this machine's
        limit({ left: () => untilMs - clock.wall(), error: told, askAt: at + QUOTA_PROBE })
      } else {
        // to the millisecond, since a second that was rounded up before is not rounded up again
        const until = at + retryAfter * 1000
        const stands = limit({ left: () => until - clock.now(), error: told, askAt: Number.POSITIVE_INFINITY })
        // The longer one is not asked about meanwhile; what asked was told nothing of it, so that it is asked again
        if (stands !== undefined) stands.askAt = stands.asking === request ? until : Math.max(stands.askAt, until)
      }
    }
    reply.send(error)
  }

  /**
   * Of requests that were under way together, or of a spent month and of the rate limit, the 429 that lasts longer stands.
   * @returns it, where it is another
   */
  const limit = (said: Limited): Limited | undefined => {
    // asked first, so that of two that end together, a millisecond later, the earlier stands
    const left = limited?.left() ?? 0
    if (said.left() <= left) return limited
    limited = said
    return undefined
  }

  /** Logtrail counts what was sent to it; a single entry has no index. */
  const inBrowsersWords = (request: FastifyRequest, verdict: Verdict): Verdict => {
    if (verdict.kind !== 'refused') return verdict
    if (!isBulk(request)) return { ...verdict, errors: verdict.errors.map(fault => ({ ...fault, log_index: null })) }
    const at = positions(request)
    return at === undefined ? verdict : { ...verdict, errors: inRequest(verdict.errors, at) }
  }

  const failed = (request: FastifyRequest, reply: FastifyReply, error: Error): void => {
    onSettled(request, false)
    if (!reply.sent) reply.send(error.cause instanceof UpstreamFault ? toHttpError(error.cause) : error)
  }

  /** What the plugin is told of a request: one object for all, which it has read when `from` returns. Copies would cost 1 µs. */
  const howToSend = {
    body: '',
    contentType: 'application/json',
    queryString: () => '',
    retriesCount: 0,
    // of the browser's headers none goes on; an X-Request-Id of its own neither
    rewriteRequestHeaders: (request: FastifyRequest) => ({ 'x-request-id': request.id }),
    // of Logtrail's headers none is copied: `settle` sets those that pass
    rewriteHeaders: () => ({}),
    onResponse: (request: FastifyRequest, reply: FastifyReply, response: unknown) =>
      settle(request, reply, (response as ProxiedResponse).stream),
    onError: (reply: FastifyReply, { error }: { error: Error }) => failed(reply.request, reply, error)
  }

  await app.register(httpProxy, {
    upstream: base.href,
    httpMethods: ['POST'],
    routes: [options.paths.logs, options.paths.bulk],
    proxyPayloads: false,
    undici: client.requestable as never,
    disableRequestLogging: true,
    // The answer is given from here. Its handler, which `done` leads to, would first resolve the browser's own path against
    // the upstream: four addresses parsed for each request, of which nothing would be used
    preHandler(request, reply, done) {
      try {
        const reading = options.read(request, reply)
        if (reading === undefined) forward(request, reply)
        else reading.then(() => forward(request, reply)).catch(done)
      } catch (error) {
        done(error as Error)
      }
    }
  })

  function forward(request: FastifyRequest, reply: FastifyReply): void {
    const list = entries(request)
    if (list.length === 0) {
      nothingToSend(request, reply)
      return
    }
    const refusal = stillLimited(request)
    if (refusal !== undefined) {
      onSettled(request, false)
      reply.send(refusal)
      return
    }
    const bulk = isBulk(request)
    howToSend.body = bulk ? `[${list.join(',')}]` : list[0]!
    // the plugin copies the browser's headers before it asks which of them go on: what is not there cannot
    request.raw.headers = NO_HEADERS
    reply.from(bulk ? addresses.bulk : addresses.logs, howToSend as never)
    howToSend.body = ''
  }

  function stillLimited(request: FastifyRequest): HttpError | undefined {
    if (limited === undefined) return undefined
    const left = limited.left()
    if (left <= 0) {
      limited = undefined
      return undefined
    }
    const at = clock.now()
    if (at < limited.askAt) return limited.error(Math.ceil(left / 1000))
    limited.askAt = at + QUOTA_PROBE
    limited.asking = request
    return undefined
  }

  function isBulk(request: FastifyRequest): boolean {
    return request.url === options.paths.bulk
  }
}
