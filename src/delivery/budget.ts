import type { Clock } from '../clock.js'
import type { UpstreamAnswer } from '../logtrail/client.js'
import { backoff } from './backoff.js'

type Headers = UpstreamAnswer['headers']

/** How much of Logtrail's own bucket is left unused: what two seconds refill. See {@link createBudget}. */
const MARGIN_SECONDS = 2
/** Slower than Logtrail by so much, so that two clocks that differ a little do not add up to a 429. */
const RATE = 0.99
/** A spent month is asked about so often, since the site's plan may have been raised: 24 requests a day. */
export const QUOTA_PROBE = 3_600_000
const BACKOFF_BASE = 1000
const BACKOFF_MOST = 60_000

export interface BudgetOptions {
  /** LOGTRAIL_REQUESTS_PER_MINUTE */
  requestsPerMinute: number
  clock: Clock
  random?: () => number
}

/** One request that was paid for: what the budget believed then. */
export interface Ticket {
  readonly number: number
  readonly at: number
  readonly believed: number
  readonly corrected: number
}

export interface Budget {
  /** Pays for one request; undefined while `wait()` is above 0. */
  take(): Ticket | undefined
  /** Milliseconds until a request can be paid for: for want of tokens, or in a pause. */
  wait(): number
  /** Reads the rate-limit headers of any answer. */
  answered(ticket: Ticket, headers: Headers): void
  /** Logtrail dealt with a request, whatever it thought of the entries: pauses from before it was sent are history. */
  succeeded(ticket: Ticket): void
  /** A 429 of the rate limit: pauses for `retryAfter` milliseconds, or with backoff where Logtrail does not say. */
  limited(ticket: Ticket, retryAfter: number | undefined, headers: Headers): void
  /** A 429 of the monthly quota, spent until `until` (milliseconds since 1970). One request an hour asks again. */
  spent(until: number): void
  /** Whole requests that could be sent now. */
  remaining(): number
  /** 0 empty, 1 full. */
  fullness(): number
  /** Milliseconds in which one request is gained. */
  interval(): number
  /** False until Logtrail has answered since the start or the last 429: send one at a time. */
  proven(): boolean
  /** Why there is, or was until the next success, a pause. */
  reason(): 'rate' | 'quota' | undefined
  /** Milliseconds until the next request may be tried; 0 outside a pause. */
  pausedFor(): number
  /** Milliseconds until the limit is over, as far as is known: what `Retry-After` should say. 0 outside a pause. */
  overIn(): number
}

/**
 * One token bucket for everything that goes upstream, first sends and retries alike.
 *
 * Logtrail's bucket (rate limits page: requests a minute, per key, token bucket) must never be seen empty. Requests left here
 * evenly may arrive there in a bunch, late by the jitter J of the way; no more than what is ours plus what J refills
 * arrives at once. So ours is smaller than Logtrail's by two seconds of refill, and keeps that distance below what
 * `X-RateLimit-Remaining` says: half of it at least, since answers are read late and out of order.
 *
 * After a start, and after a 429, nobody knows what is left: we begin with one second's worth, send one request, and
 * believe its answer, this once also where it says there is more. Otherwise headers only ever lower what we believe.
 */
export function createBudget({ requestsPerMinute, clock, random = Math.random }: BudgetOptions): Budget {
  let perMinute = requestsPerMinute
  let margin = 0
  let capacity = 0
  let rate = 0
  scale(requestsPerMinute)

  let level = Math.max(1, margin / 2)
  let at = clock.now()
  let taken = 0
  /** Sum of all corrections by headers, so that two answers that report one difference correct it once. */
  let corrected = 0
  let proven = false
  let reason: 'rate' | 'quota' | undefined
  let nextTry = 0
  let over = 0
  let refusals = 0
  let pausedAt = Number.NEGATIVE_INFINITY

  function scale(limit: number): void {
    perMinute = limit
    margin = Math.min(Math.ceil((limit * MARGIN_SECONDS) / 60), limit - 1)
    capacity = limit - margin
    rate = (RATE * limit) / 60_000
  }

  function refill(): number {
    const now = clock.now()
    level = Math.min(capacity, level + (now - at) * rate)
    at = now
    return now
  }

  function wait(): number {
    const now = refill()
    const tokens = level >= 1 ? 0 : (1 - level) / rate
    return Math.max(tokens, nextTry - now, 0)
  }

  /** A pause never shortens one: several answers of requests that were under way together report the same. */
  function pause(why: 'rate' | 'quota', tryIn: number, overIn: number): void {
    const now = refill()
    reason = why
    pausedAt = now
    nextTry = Math.max(nextTry, now + tryIn)
    over = Math.max(over, now + overIn)
    level = Math.min(level, 1)
    proven = false
  }

  return {
    take() {
      if (wait() > 0) return undefined
      level--
      return { number: ++taken, at, believed: level, corrected }
    },

    wait,

    answered(ticket, headers) {
      const limit = count(headers['x-ratelimit-limit'])
      const told = limit === undefined || limit < 1 ? requestsPerMinute : Math.min(limit, requestsPerMinute)
      const now = refill()
      if (limit !== undefined && told !== perMinute) scale(told)
      const remaining = count(headers['x-ratelimit-remaining'])
      if (remaining === undefined) return
      if (!proven && taken === ticket.number && ticket.at >= pausedAt && remaining - margin > level) {
        level = Math.min(capacity, remaining - margin)
        return
      }
      const believed = ticket.believed - (corrected - ticket.corrected)
      // Requests sent later may have been counted before this one; and what was refilled on the way is counted in
      // Logtrail's number, not in what we believed when we sent it.
      const real = remaining - margin / 2 + (taken - ticket.number) - (now - ticket.at) * rate
      const excess = Math.min(believed - real, level + margin)
      if (excess <= 0) return
      level -= excess
      corrected += excess
    },

    succeeded(ticket) {
      if (ticket.at < pausedAt) return
      proven = true
      refusals = 0
      reason = undefined
      over = 0
    },

    limited(ticket, retryAfter, headers) {
      // Those sent before we knew are the same refusal, not a further one.
      if (ticket.at >= pausedAt) refusals++
      let ms = retryAfter
      let jitter = 0
      if (ms === undefined || ms <= 0) {
        ms = backoff(Math.max(0, refusals - 1), BACKOFF_BASE, BACKOFF_MOST, random)
        const reset = count(headers['x-ratelimit-reset'])
        const left = reset === undefined ? 0 : reset * 1000 - clock.wall()
        if (left > 0) ms = Math.min(ms, left)
      } else {
        // Not all replicas in the same moment, and none too early. Browsers are told Logtrail's own number.
        jitter = random() * Math.min(1000, ms / 10)
      }
      pause('rate', ms + jitter, ms)
    },

    spent(until) {
      const left = Math.max(BACKOFF_BASE, until - clock.wall())
      pause('quota', Math.min(left, QUOTA_PROBE), left)
    },

    remaining() {
      const now = refill()
      return nextTry > now ? 0 : Math.max(0, Math.floor(level))
    },

    fullness() {
      refill()
      return Math.max(0, level) / capacity
    },

    interval: () => 1 / rate,
    proven: () => proven,
    reason: () => reason,
    pausedFor: () => Math.max(0, nextTry - clock.now()),
    overIn: () => Math.max(0, over - clock.now())
  }
}

/** A header's number, where it is one. */
function count(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '') return undefined
  const number = Number(header)
  return Number.isFinite(number) && number >= 0 ? number : undefined
}
