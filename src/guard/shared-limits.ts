import {
  type Caller,
  type Exceeded,
  type LimitCode,
  type LimitSettings,
  type Limits,
  refuseBulk,
  type Standing,
  standingOf
} from './limits.js'
import { type Answers, type Counting, createSharedCounts, type Keys, type Maxima } from './shared-counts.js'

export interface SharedLimitsOptions {
  redis: Counting
  settings: LimitSettings
  /** Each replica's own counting, which goes on all the time: it answers while Redis does not. */
  local: Limits
  /** A user's name in Redis: a keyed digest, so that Redis holds nobody's id. */
  digest: (userId: string) => string
  /** Longest that a request waits for Redis, ms. */
  patience?: number
  /** After that Redis is left alone for so long, ms. */
  rest?: number
  /** Told once when each replica begins to count for itself, and once (null) when they count together again. */
  onFallback: (reason: string | null) => void
  /** ms of a clock that only goes forward. */
  now?: () => number
  /** ms since 1970, for X-RateLimit-Reset alone. */
  wall?: () => number
}

const PREFIX = 'logtrail-bff:limit'
/** Callers that are known to have used up a shared limit: they are refused before their bodies are read. */
const MAX_KNOWN = 10_000

/**
 * The limits over all replicas, in Redis, with one round trip for a request, where its entries are known; requests of the same
 * moment share it. Until then what Redis has said of the caller before refuses. Redis slow or away: the replica's own counts, so
 * a limit never opens and a browser never sees an error of Redis.
 *
 * One of the two decides, never both: their windows begin at different moments, and a request that either refused would be
 * counted by the other. Who waited out the one's window would meet the other's, and so for ever.
 */
export function createSharedLimits(options: SharedLimitsOptions): Limits {
  const { redis, settings, local, digest, onFallback, patience = 200, rest = 1000 } = options
  const { now = () => performance.now(), wall = Date.now } = options
  /** Until when a caller's next request is over a limit, by the key of that limit. */
  const over = new Map<string, number>()
  /** What a replica's own counts say against a request: they decide where Redis, which was to decide, does not answer. */
  const held = new WeakMap<Caller, Exceeded>()
  const { count, rests } = createSharedCounts({ redis, window: settings.window, patience, rest, onFallback, now })

  function keysOf({ addressKey, userId }: Caller): Keys {
    const who = userId === undefined ? `a:${addressKey}` : `u:${digest(userId)}`
    return [`${PREFIX}:address:${addressKey}`, `${PREFIX}:requests:${who}`, `${PREFIX}:entries:${who}`]
  }

  function maximaOf({ userId, spared }: Caller): Maxima {
    const address = spared ? 0 : settings.address
    return userId === undefined
      ? [address, settings.anonymousRequests, settings.anonymousEntries]
      : [address, settings.userRequests, settings.userEntries]
  }

  function standing(limit: number, current: number, ttl: number, exceeded: boolean): Standing {
    return standingOf(limit, { current, ttl, exceeded }, wall())
  }

  /** Refuses who had used up the limit when Redis last said so, for as long as that window lasts. */
  function known(caller: Caller, which: 0 | 1): Standing | undefined {
    if (over.size === 0) return undefined
    const key = keysOf(caller)[which]
    const until = over.get(key)
    if (until === undefined) return undefined
    const limit = maximaOf(caller)[which]
    const left = until - now()
    if (left > 0) return standing(limit, limit, left, true)
    over.delete(key)
    return undefined
  }

  function remember(key: string, left: number): void {
    over.delete(key)
    if (over.size >= MAX_KNOWN) over.delete(over.keys().next().value as string)
    over.set(key, now() + left)
  }

  /** What Redis has counted of a request's address and caller: are they over a limit? */
  function judge(
    { userId }: Caller,
    keys: Keys,
    [addressMax, requestsMax]: Maxima,
    [address, addressLeft, requests, requestsLeft]: Answers
  ): Exceeded | null {
    // one that has reached its limit is remembered already: its next request is over it, and need not be read for that
    if (addressMax > 0 && address >= addressMax) remember(keys[0], addressLeft)
    if (requestsMax > 0 && requests >= requestsMax) remember(keys[1], requestsLeft)
    if (addressMax > 0 && address > addressMax) {
      return { ...standing(addressMax, address, addressLeft, true), code: 'RATE_LIMIT_IP_EXCEEDED' }
    }
    if (requestsMax > 0 && requests > requestsMax) {
      return { ...standing(requestsMax, requests, requestsLeft, true), code: codeOf(userId) }
    }
    return null
  }

  /**
   * Before Redis is asked: of a caller that it has said nothing of, nothing is known. A crowd of requests that all come before
   * its first answer is let in to be read, within the bounds of connections and memory.
   */
  function soFar(caller: Caller, which: 0 | 1, own: Standing | null): Standing | null {
    const shared = known(caller, which)
    if (shared !== undefined) return shared
    if (rests()) return own
    if (own?.exceeded && !held.has(caller)) {
      held.set(caller, { ...own, code: which === 0 ? 'RATE_LIMIT_IP_EXCEEDED' : codeOf(caller.userId) })
    }
    return null
  }

  function alone(caller: Caller, entries: number): ReturnType<Limits['entries']> {
    return held.get(caller) ?? local.entries(caller, entries)
  }

  return {
    async address(caller) {
      return soFar(caller, 0, await local.address(caller))
    },
    request(caller) {
      return soFar(caller, 1, local.request(caller))
    },
    entries(caller, entries) {
      const maxima = maximaOf(caller)
      const [, requestsMax, entriesMax] = maxima
      refuseBulk(entriesMax, entries)
      const keys = keysOf(caller)
      const asked = count(keys, maxima, entries)
      if (asked === undefined) return alone(caller, entries)
      return asked.then(answer => {
        if (answer === undefined) return alone(caller, entries)
        const exceeded = judge(caller, keys, maxima, answer)
        if (exceeded !== null) return exceeded
        const [, , requests, requestsLeft, total, left, taken] = answer
        if (taken === 0) return standing(entriesMax, total, left, true)
        // for the time when Redis does not answer, which what Redis refused takes nothing of
        void local.entries(caller, entries)
        const byEntries = entriesMax > 0 ? standing(entriesMax, total, left, false) : null
        if (requestsMax === 0) return byEntries
        const byRequests = standing(requestsMax, requests, requestsLeft, false)
        return { ...(byEntries ?? byRequests), requests: byRequests }
      })
    },
    uncounted(caller, wasAsked) {
      const [address, requests] = maximaOf(caller)
      const maxima: Maxima = [address, wasAsked ? requests : 0, 0]
      if (address === 0 && maxima[1] === 0) return undefined
      const keys = keysOf(caller)
      const asked = count(keys, maxima, 0)
      if (asked === undefined) {
        const own = held.get(caller)
        return own && Promise.resolve(own)
      }
      return asked.then(answer => {
        if (answer === undefined) return held.get(caller) ?? null
        const exceeded = judge(caller, keys, maxima, answer)
        if (exceeded !== null || maxima[1] === 0) return exceeded
        const [, , counted, left] = answer
        return standing(requests, counted, left, false)
      })
    }
  }
}

function codeOf(userId: string | undefined): LimitCode {
  return userId === undefined ? 'RATE_LIMIT_ANONYMOUS_EXCEEDED' : 'RATE_LIMIT_USER_EXCEEDED'
}
