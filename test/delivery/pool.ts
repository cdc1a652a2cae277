import { createBudget } from '../../src/delivery/budget.js'
import { createPooled, type PooledOptions } from '../../src/delivery/pooled.js'
import type { HttpError } from '../../src/errors.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import { createFakeClock } from './fake-clock.js'
import { createUpstream, entry, taken } from './upstream.js'

export interface PoolOptions extends Partial<PooledOptions> {
  requestsPerMinute?: number
  maxEntries?: number
  /** As a start leaves it, with nothing known of Logtrail's bucket. */
  cold?: boolean
}

/** Pooled delivery, an upstream that the test plays, and a clock that it turns. */
export async function createPool({
  requestsPerMinute = 6000,
  maxEntries = 1000,
  cold,
  ...overrides
}: PoolOptions = {}) {
  const clock = createFakeClock()
  const outbox = createMemoryOutbox({ maxEntries, now: clock.wall })
  const budget = createBudget({ requestsPerMinute, clock, random: () => 1 })
  const upstream = createUpstream(clock.now)
  const books = { delivered: 0, rejected: 0 }
  const pooled = createPooled({
    outbox,
    client: upstream,
    budget,
    clock,
    maxBatch: 50,
    maxBytes: 100_000,
    maxWait: 5,
    timeout: 15_000,
    random: () => 1,
    onSettled: (delivered, rejected) => {
      books.delivered += delivered
      books.rejected += rejected
    },
    ...overrides
  })
  await pooled.start()
  const deliver = (user: string, ids: (string | number)[], bulk = ids.length > 1) =>
    pooled.deliver({ user: `u:${user}`, entries: ids.map(id => entry(id)), bulk })
  if (cold !== true) {
    const bucket = String(requestsPerMinute)
    upstream.respond = () => taken({ 'x-ratelimit-limit': bucket, 'x-ratelimit-remaining': bucket })
    await deliver('first', ['first'])
    upstream.requests.length = 0
    books.delivered = 0
  }
  return { clock, outbox, budget, upstream, pooled, books, deliver }
}

/** The error of a promise that must reject. */
export async function failure(promise: Promise<unknown>): Promise<HttpError> {
  return promise.then(
    () => Promise.reject(new Error('resolved')),
    (error: HttpError) => error
  )
}
