import { HttpError } from '../errors.js'
import type { HttpAnswer } from './http-get.js'
import { createPathReader, toUserId } from './user-id.js'

/** What an app's session address said of a session. */
export interface Recognised {
  userId: string
  /** When the answer says that it ends, in milliseconds since 1970; infinite when it does not say. */
  until: number
}

/**
 * Reads the answer of an app's session address, in the manner of nginx's auth_request: 2xx with a user id lets in, the id
 * being in `userHeader` (lower case), else in a JSON body at `userClaim`. 2xx without one (Auth.js answers 200 `null`, a
 * single-page app's server answers anything with its page), 3xx, 401 and 403 refuse: SESSION_INVALID, SESSION_EXPIRED if
 * the answer says so. Anything else is a fault of the address: SESSION_UNAVAILABLE.
 */
export function createAnswerReader(
  userHeader: string,
  userClaim: string
): (answer: HttpAnswer, now: number) => Recognised {
  const readUser = createPathReader(userClaim)
  return (answer, now) => {
    const { status, headers } = answer
    if (status >= 300 && status < 400) throw invalid(`it answers ${status}, a redirect`)
    if (status === 401 || status === 403) throw invalid(`it answers ${status}`)
    if (status < 200 || status > 299) {
      throw new HttpError('SESSION_UNAVAILABLE', { cause: `session address: it answers ${status}` })
    }
    const body = parse(answer.body)
    const named = headerValue(headers[userHeader])
    const userId = toUserId(named === '' ? readUser(body) : named)
    if (userId === undefined) throw invalid(`it answers ${status} without a user id`)
    const until = Math.min(statedEnd(body), now + maxAge(headerValue(headers['cache-control'])))
    if (until <= now) throw new HttpError('SESSION_EXPIRED', { cause: 'session address: the session is over' })
    return { userId, until }
  }
}

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function invalid(why: string): HttpError {
  return new HttpError('SESSION_INVALID', { cause: `session address: ${why}` })
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return undefined
  }
}

/**
 * Header bytes are UTF-8 nowadays where they are not ASCII, though HTTP reads them as Latin-1. Several values refuse. Round it
 * HTTP has blanks and tabs that are not the value's (RFC 9110, 5.5); any other white space is: `alice` and `alice` with a
 * no-break space are two users.
 */
function headerValue(value: string | string[] | undefined): string {
  if (value === undefined) return ''
  if (typeof value !== 'string') return value.join('\n')
  const plain = value.replace(/^[\t ]+|[\t ]+$/g, '')
  if (/^[\0-\x7f]*$/.test(plain)) return plain
  try {
    return UTF8.decode(Buffer.from(plain, 'latin1'))
  } catch {
    return plain
  }
}

/**
 * The end of the session where a JSON body states one: `expires` of Auth.js, `exp` of token introspection (RFC 7662),
 * `session.expiresAt` of Better Auth, and their like.
 */
function statedEnd(body: unknown): number {
  let end = Number.POSITIVE_INFINITY
  for (const holder of [body, (body as { session?: unknown } | undefined | null)?.session]) {
    if (typeof holder !== 'object' || holder === null) continue
    for (const name of ['expires', 'expiresAt', 'expires_at', 'exp']) {
      if (Object.hasOwn(holder, name)) end = Math.min(end, toTime((holder as Record<string, unknown>)[name]))
    }
  }
  return end
}

/** ISO or HTTP dates, seconds or milliseconds since 1970, in milliseconds; infinite for what is none of them. */
function toTime(value: unknown): number {
  if (typeof value === 'string' && /^\d+$/.test(value)) return toTime(Number(value))
  if (typeof value === 'number') return value < 1e11 ? value * 1000 : value
  const time = typeof value === 'string' ? Date.parse(value) : Number.NaN
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
}

/**
 * Milliseconds of `max-age`. Zero, `no-store` and the like are not obeyed: frameworks put them on every answer that has to
 * do with a session, for the caches between; how long this program relies on an answer is SESSION_AUTH_CACHE's to say.
 */
function maxAge(cacheControl: string): number {
  const seconds = Number(/(?:^|[,\s])max-age="?(\d{1,10})/i.exec(cacheControl)?.[1] ?? 0)
  return seconds > 0 ? seconds * 1000 : Number.POSITIVE_INFINITY
}
