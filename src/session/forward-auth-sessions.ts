import { BoundedMap } from '../bounded-map.js'
import { HttpError } from '../errors.js'
import { createAnswerReader, type Recognised } from './auth-answer.js'
import { readBearer } from './bearer.js'
import { BulkheadFull, createBulkhead } from './bulkhead.js'
import { findCookie } from './cookies.js'
import { digest } from './digest.js'
import { createHttpGet } from './http-get.js'
import { Refusals } from './refusals.js'
import type { Session, SessionSource, SourceState } from './session.js'

export interface ForwardAuthOptions {
  /** The app's own session address. */
  url: string
  /** Name of the session cookie. */
  cookie: string
  /** The answer header that names the user. */
  userHeader: string
  /** Where the user id is in a JSON body, when that header is absent: a member, or a dotted path. */
  userClaim: string
  /** Milliseconds for one question. */
  timeoutMs: number
  /** Milliseconds an answer is relied on, at most; 0 asks every time. */
  cacheMs: number
  /** Questions under way at once. Default 16. */
  concurrency?: number | undefined
  userAgent: string
  /** Certificate authorities for the address, instead of Node's own. */
  ca?: string | Buffer | undefined
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined
}

/** Longer credentials are not passed on. Sessions in chunks can be long, but Node's own limit for all headers is 16 KB. */
const MAX_CREDENTIAL = 15_000
const MAX_ANSWER_BYTES = 64 * 1024
const MAX_GOOD = 20_000
const BAD_MS = 2_000
/** Waiting questions beyond this are refused at once: the address is overwhelmed, or the proxy is being flooded. */
const MAX_WAITING = 256
/** How long the answer of a check is good, so that probes do not add up. */
const CHECK_MS = 5_000

/** RFC 6750's b64token: nothing else goes into a header of ours. */
const TOKEN = /^[\w\-.~+/]+=*$/

/**
 * Sessions that the app itself is asked about, by a GET with the session cookie, its chunks included, or the bearer token,
 * and nothing else of the browser's. One question at a time for one session, few at once for all of them. Answers are
 * remembered by digest: no longer than `cacheMs` nor than the answer says the session lasts. A question without an answer
 * is SESSION_UNAVAILABLE and not remembered.
 */
export function createForwardAuthSessions(options: ForwardAuthOptions): SessionSource {
  const { cookie, timeoutMs, cacheMs, concurrency = 16, now = Date.now } = options
  const url = new URL(options.url)
  const plain = { accept: 'application/json', 'user-agent': options.userAgent }
  const readAnswer = createAnswerReader(options.userHeader.toLowerCase(), options.userClaim)
  const http = createHttpGet({ timeoutMs, maxBytes: MAX_ANSWER_BYTES, connections: concurrency, ca: options.ca })
  const bulkhead = createBulkhead({ width: concurrency, waiting: MAX_WAITING, patienceMs: timeoutMs })
  const good = new BoundedMap<Recognised>(MAX_GOOD)
  const bad = new Refusals(Math.min(BAD_MS, cacheMs))
  const asking = new Map<string, Promise<string>>()
  let lastCheck: { state: Promise<SourceState>; at: number } | undefined

  async function ask(id: string, headers: Record<string, string>): Promise<string> {
    try {
      const answer = await bulkhead.pass(() => http.get(url, { ...plain, ...headers }))
      const time = now()
      const { userId, until } = readAnswer(answer, time)
      good.set(id, { userId, until: Math.min(until, time + cacheMs) })
      return userId
    } catch (error) {
      if (!(error instanceof HttpError)) {
        const cause = error instanceof BulkheadFull ? error.message : `session address: ${(error as Error).message}`
        throw new HttpError('SESSION_UNAVAILABLE', { cause })
      }
      if (error.statusCode === 401) bad.remember(id, error, now())
      throw error
    }
  }

  async function answerFor(id: string, headers: Record<string, string>, via: Session['via']): Promise<Session> {
    let answer = asking.get(id)
    if (answer === undefined) {
      answer = ask(id, headers).finally(() => asking.delete(id))
      asking.set(id, answer)
    }
    return { userId: await answer, via }
  }

  /** An address that works refuses a question without a session. */
  async function askWithout(): Promise<SourceState> {
    const name = `the session address at ${url.host}`
    try {
      readAnswer(await http.get(url, plain), now())
    } catch (error) {
      if (!(error instanceof HttpError)) return { ok: false, message: `${name}: ${(error as Error).message}` }
      if (error.statusCode === 401) return { ok: true, message: `${name} answers` }
      return { ok: false, message: String(error.cause).replace('session address', name) }
    }
    return { ok: false, message: `${name} names a user where no session was sent: it would let anyone in` }
  }

  return {
    readsAuthorization: true,
    identify(headers) {
      const bearer = readBearer(headers.authorization)
      let credential: string
      let via: Session['via'] = 'authorization'
      if (bearer !== null) {
        if (!TOKEN.test(bearer)) throw new HttpError('SESSION_INVALID', { cause: 'token: it is no bearer token' })
        credential = `Bearer ${bearer}`
      } else {
        const found = headers.cookie === undefined ? null : findCookie(headers.cookie, cookie)
        if (found === null) return null
        credential = found.pairs.join('; ')
        via = 'cookie'
      }
      if (credential.length > MAX_CREDENTIAL) throw new HttpError('SESSION_INVALID', { cause: 'session: too long' })

      // A pair contains `=` before any space, a bearer a space before any `=`: the two cannot be taken for each other.
      const id = digest(credential)
      const time = now()
      const known = good.get(id)
      if (known !== undefined && time < known.until) return { userId: known.userId, via }
      bad.check(id, time)
      return answerFor(id, via === 'cookie' ? { cookie: credential } : { authorization: credential }, via)
    },
    check() {
      if (lastCheck === undefined || now() >= lastCheck.at + CHECK_MS) lastCheck = { state: askWithout(), at: now() }
      return lastCheck.state
    },
    close: http.close
  }
}
