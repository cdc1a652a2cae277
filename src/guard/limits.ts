import rateLimit from '@fastify/rate-limit'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type ErrorCode, HttpError } from '../errors.js'
import { type Counted, CountStore } from './count-store.js'

/** Limits of a window, in whole numbers; 0 turns one off. */
export interface LimitSettings {
  /** Length of the window in ms. */
  window: number
  /** Requests by address. */
  address: number
  /** Requests and entries by user. */
  userRequests: number
  userEntries: number
  /** Requests and entries without a session, by address. */
  anonymousRequests: number
  anonymousEntries: number
  /** ms of a clock that only goes forward, by which windows are counted. */
  now?: () => number
  /** ms since 1970, for X-RateLimit-Reset alone: may jump either way. */
  wall?: () => number
}

/** Where a caller stands with one limit; `reset` in Unix seconds, `retryAfter` in whole seconds. */
export interface Standing {
  limit: number
  remaining: number
  reset: number
  retryAfter: number
  exceeded: boolean
  /** Which limit is exceeded, where it is not the one that was asked. */
  code?: LimitCode
  /** Where the caller stands with requests, as far as that is known better by now. */
  requests?: Standing
}

/** A limit that is exceeded, by name. */
export interface Exceeded extends Standing {
  code: LimitCode
}

/** Who a request counts for: set by the composition root on its requests before a limit is asked. */
export interface Caller {
  addressKey: string
  /** Undefined: without a session. */
  userId: string | undefined
  /** The address limit does not count it. */
  spared?: boolean
}

export interface Limits {
  /** Counts one request of the caller's address; null where that limit is off. */
  address(caller: Caller): Promise<Standing | null>
  /** Counts one request of the user, or of the address where there is no session. Without a promise. */
  request(caller: Caller): Standing | null
  /**
   * Counts `entries` of the caller, all or none: a refused request takes nothing of what is left. With a promise only
   * where somebody else has to be asked.
   * @throws HttpError `VALIDATION_BULK_LIMIT_EXCEEDED` for more than a whole window allows: waiting would never help
   */
  entries(caller: Caller, entries: number): Standing | null | Promise<Standing | null>
  /**
   * Counts where others count too, too late to refuse by it, a request that ends before its entries were asked for.
   * @param asked whether `request` was asked for this caller: else the address alone is counted
   * @returns the limit that it is over, else where its caller stands with requests, where that was asked for and is known;
   * undefined where nobody else has to be asked
   */
  uncounted?(caller: Caller, asked: boolean): Promise<Standing | null> | undefined
}

export type LimitCode = Extract<ErrorCode, `RATE_LIMIT_${string}`>

const NO_ROUTE = {}

/**
 * Where a caller stands with a limit that has counted so much.
 * @param date ms since 1970
 */
export function standingOf(limit: number, { current, ttl, exceeded }: Counted, date: number): Standing {
  return {
    limit,
    remaining: Math.max(0, limit - current),
    reset: Math.ceil((date + ttl) / 1000),
    retryAfter: Math.max(1, Math.ceil(ttl / 1000)),
    exceeded
  }
}

/** The 429 that a standing stands for. */
export function limitExceeded(code: LimitCode, standing: Standing): HttpError {
  return new HttpError(code, { retryAfter: standing.retryAfter, headers: limitHeaders(standing) })
}

/**
 * @param max entries that a window allows; 0 for as many as anybody likes
 * @throws HttpError `VALIDATION_BULK_LIMIT_EXCEEDED` for more than that
 */
export function refuseBulk(max: number, entries: number): void {
  if (max === 0 || entries <= max) return
  throw new HttpError('VALIDATION_BULK_LIMIT_EXCEEDED', {
    message: `The request holds ${entries} entries; at most ${max} can be sent at once.`
  })
}

export function limitHeaders(standing: Pick<Standing, 'limit' | 'remaining' | 'reset'>): Record<string, number> {
  return {
    'x-ratelimit-limit': standing.limit,
    'x-ratelimit-remaining': standing.remaining,
    'x-ratelimit-reset': standing.reset
  }
}

/**
 * The limits of one process, counted in its memory, over stores that an attacker cannot make forget: addresses by
 * @fastify/rate-limit; users' requests and entries, of which the plugin cannot count several at once, without it.
 */
export async function createLocalLimits(app: FastifyInstance, settings: LimitSettings): Promise<Limits> {
  const { now, wall = Date.now } = settings
  class Counts extends CountStore {
    constructor() {
      super(now)
    }
  }
  await app.register(rateLimit, { global: false, store: Counts })

  function addressLimit(max: number) {
    if (max === 0) return async () => null
    // All that the plugin reads of a request, besides what its keyGenerator does: a CONNECT, for one, has no request.
    const asRequest = ({ addressKey }: Caller) => ({ routeOptions: NO_ROUTE, addressKey }) as unknown as FastifyRequest
    const keyGenerator = (asked: FastifyRequest) => (asked as unknown as Caller).addressKey
    const check = app.createRateLimit({ max, timeWindow: settings.window, keyGenerator })
    const standing = (said: Awaited<ReturnType<typeof check>>): Standing => {
      // it has no list of spared addresses: those are never asked about
      const { remaining, ttl, isExceeded } = said as Exclude<typeof said, { isAllowed: true }>
      return standingOf(max, { current: max - remaining, ttl, exceeded: isExceeded }, wall())
    }
    // no async function, whose own promise each request would wait for besides the plugin's
    return (caller: Caller) => check(asRequest(caller)).then(standing)
  }

  function requestLimit(max: number) {
    if (max === 0) return () => null
    const counts = new Counts()
    return (key: string): Standing => standingOf(max, counts.count(key, settings.window, max), wall())
  }

  function entryLimit(max: number) {
    if (max === 0) return () => null
    const counts = new Counts()
    return (key: string, entries: number): Standing => {
      refuseBulk(max, entries)
      return standingOf(max, counts.take(key, settings.window, max, entries), wall())
    }
  }

  const userRequests = requestLimit(settings.userRequests)
  const anonymousRequests = requestLimit(settings.anonymousRequests)
  const userEntries = entryLimit(settings.userEntries)
  const anonymousEntries = entryLimit(settings.anonymousEntries)
  return {
    address: addressLimit(settings.address),
    request: ({ userId, addressKey }) => (userId === undefined ? anonymousRequests(addressKey) : userRequests(userId)),
    entries: ({ userId, addressKey }, entries) =>
      userId === undefined ? anonymousEntries(addressKey, entries) : userEntries(userId, entries)
  }
}
