import { createHmac, createSecretKey, timingSafeEqual } from 'node:crypto'
import { HttpError } from '../errors.js'
import { decodeCookie, findCookie } from './cookies.js'
import type { Session, SessionSource } from './session.js'
import { createPathReader, toUserId } from './user-id.js'

/** What is asked of Redis; an ioredis client does, with its offline queue off. Not closed here. */
export interface SessionStore {
  get(key: string): Promise<string | null>
  /** Milliseconds the key has left; -1 when it never ends. */
  pttl(key: string): Promise<number>
}

export interface RedisSessionsOptions {
  redis: SessionStore
  /** Name of the session cookie: express-session's is `connect.sid` unless it was told otherwise. */
  cookie: string
  /** What the app signs its cookies with, newest first. */
  secrets: readonly string[]
  /** What the store puts before a session's id: connect-redis `sess:`, unless it was told otherwise. */
  prefix: string
  /** Where the user id is in a stored session: a member, or a dotted path such as `passport.user`. */
  userClaim: string
  /** Milliseconds one question may take. Default 1,000. */
  timeoutMs?: number | undefined
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined
}

/** `s:`, an id and 43 characters of signature; ids are some 32 characters. */
const MAX_COOKIE = 1024
/** A Redis that stands still must not gather questions without end. */
const MAX_PENDING = 1_000

/**
 * Sessions of express-session and @fastify/session in Redis. The cookie is an id with its HMAC; without a good signature
 * Redis is not asked. Then one GET per request and nothing remembered: a session that ends in the app ends here.
 *
 * A good signature over an id that is not stored is a session that is over: SESSION_EXPIRED. A stored session without a user
 * is that of a visitor who has not signed in: none. Redis slow or away: SESSION_UNAVAILABLE.
 */
export function createRedisSessions(options: RedisSessionsOptions): SessionSource {
  const { redis, cookie, prefix, timeoutMs = 1_000, now = Date.now } = options
  if (options.secrets.length === 0 || options.secrets.includes('')) throw new Error('SESSION_SECRET: must not be empty')
  const keys = options.secrets.map(secret => createSecretKey(Buffer.from(secret)))
  const readUser = createPathReader(options.userClaim)
  let pending = 0

  /** The id in a signed cookie; undefined when none of the secrets signed it. */
  function unsign(signed: string): string | undefined {
    const dot = signed.lastIndexOf('.')
    if (dot <= 0) return undefined
    const id = signed.slice(0, dot)
    const given = Buffer.from(signed.slice(dot + 1))
    for (const key of keys) {
      const expected = Buffer.from(createHmac('sha256', key).update(id).digest('base64').replace(/=+$/, ''))
      if (given.length === expected.length && timingSafeEqual(given, expected)) return id
    }
    return undefined
  }

  /** What Redis answers within `timeoutMs`, else an Error with a message fit for the log. */
  function answerOf<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    if (pending >= MAX_PENDING) return Promise.reject(new Error('too many questions wait for an answer'))
    pending++
    return new Promise((resolve, reject) => {
      // Where this process itself was late its timers come first: an answer that is there already is read in between.
      const late = () => setImmediate(() => reject(new Error(`no answer within ${timeoutMs} ms`)))
      const timer = setTimeout(late, timeoutMs)
      const done = () => {
        clearTimeout(timer)
        pending--
      }
      ask().then(
        answer => {
          done()
          resolve(answer)
        },
        error => {
          done()
          // The client's own errors carry the command, and with it the session's id; Redis quotes it of one that it does not know.
          reject(new Error((error as Error).message.replace(/'[^']*'/g, "'…'")))
        }
      )
    })
  }

  async function read(id: string): Promise<Session | null> {
    const key = prefix + id
    let text: string | null
    let over = false
    let stored: unknown
    try {
      text = await answerOf(() => redis.get(key))
      stored = text === null ? undefined : JSON.parse(text)
      // connect-redis prolongs a session that is in use by the key's time to live alone: `expires` stays behind. Only
      // where the key has no end of its own is `expires` the last word.
      over = text === null || (endOf(stored) <= now() && (await answerOf(() => redis.pttl(key))) < 0)
    } catch (error) {
      if (error instanceof SyntaxError)
        throw new HttpError('SESSION_INVALID', { cause: 'stored session: it is not JSON' })
      throw new HttpError('SESSION_UNAVAILABLE', { cause: `session store: ${(error as Error).message}` })
    }
    if (over) throw new HttpError('SESSION_EXPIRED', { cause: 'stored session: it is over' })
    const user = readUser(stored)
    if (user === undefined || user === null) return null
    const userId = toUserId(user)
    if (userId === undefined)
      throw new HttpError('SESSION_INVALID', { cause: 'stored session: its user is no user id' })
    return { userId, via: 'cookie' }
  }

  return {
    readsAuthorization: false,
    identify(headers) {
      const found = headers.cookie === undefined ? null : findCookie(headers.cookie, cookie)
      if (found === null) return null
      if (found.value.length > MAX_COOKIE) throw new HttpError('SESSION_INVALID', { cause: 'session cookie: too long' })
      const value = decodeCookie(found.value)
      // express-session marks its signed cookies, @fastify/session does not.
      const id = unsign(value.startsWith('s:') ? value.slice(2) : value)
      if (id === undefined)
        throw new HttpError('SESSION_INVALID', { cause: 'session cookie: its signature does not hold' })
      return read(id)
    },
    async check() {
      try {
        await answerOf(() => redis.get(`${prefix}logtrail-bff-check`))
        return { ok: true, message: 'the session store answers' }
      } catch (error) {
        return { ok: false, message: `the session store: ${(error as Error).message}` }
      }
    },
    close: async () => {}
  }
}

/** `cookie.expires` of a stored session, in milliseconds; infinite when it states none. */
function endOf(stored: unknown): number {
  const expires = (stored as { cookie?: { expires?: unknown } | null } | null)?.cookie?.expires
  const time = typeof expires === 'string' ? Date.parse(expires) : typeof expires === 'number' ? expires : Number.NaN
  return Number.isNaN(time) ? Number.POSITIVE_INFINITY : time
}
