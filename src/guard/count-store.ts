import type { FastifyRateLimitStore } from '@fastify/rate-limit'

/** Keys a store remembers. At about 150 bytes each, 100,000 are 15 MB: more senders than one process serves in a window. */
const MAX_KEYS = 100_000

interface Count {
  current: number
  endsAt: number
}

/**
 * Counts for @fastify/rate-limit, by fixed windows that begin with a key's first request. Its own store forgets the
 * least recently used key past 5,000: whoever owns many addresses could so reset a count. This one, when it is full,
 * forgets what has ended, then keys that stayed within their limit, and offenders last.
 */
export class CountStore implements FastifyRateLimitStore {
  readonly #counts = new Map<string, Count>()
  readonly #now: () => number
  readonly #maxKeys: number

  constructor(now: () => number = Date.now, maxKeys: number = MAX_KEYS) {
    this.#now = now
    this.#maxKeys = maxKeys
  }

  /** Counts one. @returns how many there are in the key's window, and the ms that are left of it */
  count(key: string, window: number, max: number): { current: number; ttl: number } {
    const now = this.#now()
    let count = this.#counts.get(key)
    if (count === undefined) {
      if (this.#counts.size >= this.#maxKeys) this.#makeRoom(now, max)
      count = { current: 1, endsAt: now + window }
      this.#counts.set(key, count)
    } else if (count.endsAt <= now) {
      // deleted and set again, so that the map's order stays the order of the windows' beginnings
      this.#counts.delete(key)
      count.current = 1
      count.endsAt = now + window
      this.#counts.set(key, count)
    } else {
      count.current += 1
    }
    return { current: count.current, ttl: count.endsAt - now }
  }

  /** As the plugin asks for it. */
  incr(
    key: string,
    done: (error: Error | null, result?: { current: number; ttl: number }) => void,
    window = 0,
    max = 0
  ): void {
    done(null, this.count(key, window, max))
  }

  /** Each limit counts for itself: a limiter made by `createRateLimit` asks for its own store by this. */
  child(): CountStore {
    return new CountStore(this.#now, this.#maxKeys)
  }

  get size(): number {
    return this.#counts.size
  }

  /** Frees a tenth at once, so that a flood of new keys pays for one sweep in ten thousand requests, not for one each. */
  #makeRoom(now: number, max: number): void {
    const goal = Math.floor(this.#maxKeys * 0.9)
    const sweeps: ((count: Count) => boolean)[] = [
      count => count.endsAt <= now,
      count => count.current <= max,
      () => true
    ]
    for (const forget of sweeps) {
      for (const [key, count] of this.#counts) {
        if (this.#counts.size <= goal) return
        if (forget(count)) this.#counts.delete(key)
      }
    }
  }
}
