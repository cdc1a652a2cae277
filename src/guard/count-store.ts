import type { FastifyRateLimitStore } from '@fastify/rate-limit'

/** Keys a store remembers. At about 150 bytes each, 100,000 are 15 MB: more callers than one process serves in a window. */
const MAX_KEYS = 100_000

interface Count {
  current: number
  endsAt: number
  /** Something of this key was refused in its window. */
  offended: boolean
}

/** What a window holds so far, the ms that are left of it, and whether what was asked for is over the limit. */
export interface Counted {
  current: number
  ttl: number
  exceeded: boolean
}

/**
 * Counts for @fastify/rate-limit and for the limits of users, by fixed windows that begin with a key's first request. The
 * plugin's own store forgets the least recently used key past 5,000, and rate-limiter-flexible's keeps every key and a timer
 * for it: whoever owns many addresses could reset a count, or fill the memory. This one, when it is full, forgets what has
 * ended, then keys that stayed within their limit, and offenders last.
 */
export class CountStore implements FastifyRateLimitStore {
  readonly #counts = new Map<string, Count>()
  readonly #now: () => number
  readonly #maxKeys: number

  /** @param now ms of a clock that only goes forward: set back, a date would lock callers out for as long as it jumped */
  constructor(now: () => number = () => performance.now(), maxKeys: number = MAX_KEYS) {
    this.#now = now
    this.#maxKeys = maxKeys
  }

  /** Counts one, whether it is over the limit or not: who goes on asking goes on being refused. */
  count(key: string, window: number, max: number): Counted {
    const now = this.#now()
    const count = this.#of(key, now, window)
    count.current += 1
    const exceeded = count.current > max
    if (exceeded) count.offended = true
    return { current: count.current, ttl: count.endsAt - now, exceeded }
  }

  /** Counts `weight` all or none: what is over the limit takes nothing of what is left. */
  take(key: string, window: number, max: number, weight: number): Counted {
    const now = this.#now()
    const count = this.#of(key, now, window)
    const exceeded = count.current + weight > max
    if (exceeded) count.offended = true
    else count.current += weight
    return { current: count.current, ttl: count.endsAt - now, exceeded }
  }

  /** As the plugin asks for it. */
  incr(
    key: string,
    done: (error: Error | null, result?: { current: number; ttl: number }) => void,
    window = 0,
    max = 0
  ): void {
    const { current, ttl } = this.count(key, window, max)
    done(null, { current, ttl })
  }

  /** Each limit counts for itself: a limiter made by `createRateLimit` asks for its own store by this. */
  child(): CountStore {
    return new CountStore(this.#now, this.#maxKeys)
  }

  #of(key: string, now: number, window: number): Count {
    let count = this.#counts.get(key)
    if (count === undefined) {
      if (this.#counts.size >= this.#maxKeys) this.#makeRoom(now)
      count = { current: 0, endsAt: now + window, offended: false }
      this.#counts.set(key, count)
    } else if (count.endsAt <= now) {
      // deleted and set again, so that the map's order stays the order of the windows' beginnings
      this.#counts.delete(key)
      count.current = 0
      count.offended = false
      count.endsAt = now + window
      this.#counts.set(key, count)
    }
    return count
  }

  /** Frees a tenth at once, so that a flood of new keys pays for one sweep in ten thousand requests, not for one each. */
  #makeRoom(now: number): void {
    const goal = Math.floor(this.#maxKeys * 0.9)
    const sweeps: ((count: Count) => boolean)[] = [count => count.endsAt <= now, count => !count.offended, () => true]
    for (const forget of sweeps) {
      for (const [key, count] of this.#counts) {
        if (this.#counts.size <= goal) return
        if (forget(count)) this.#counts.delete(key)
      }
    }
  }
}
