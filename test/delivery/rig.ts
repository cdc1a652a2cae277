import { createBudget } from '../../src/delivery/budget.js'
import type { SenderOptions } from '../../src/delivery/delivery.js'
import { createSender } from '../../src/delivery/sender.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { EntryId } from '../../src/outbox/outbox.js'
import { createFakeClock, rest } from './fake-clock.js'
import { createUpstream, entry } from './upstream.js'

export interface RigOptions extends Partial<Omit<SenderOptions, 'settlement'>> {
  /** Instead of what the rig counts. */
  settlement?: Partial<SenderOptions['settlement']>
  requestsPerMinute?: number
  /** Leave the budget as a start leaves it: not proven, nearly empty. */
  cold?: boolean
}

/** A sender over an outbox in memory, an upstream that the test plays, and a clock that it turns. */
export function createRig({ requestsPerMinute = 120, cold = false, settlement, ...overrides }: RigOptions = {}) {
  const clock = createFakeClock()
  const outbox = overrides.outbox ?? createMemoryOutbox({ maxEntries: 100_000, now: clock.wall })
  const budget = createBudget({ requestsPerMinute, clock, random: () => 1 })
  const upstream = createUpstream(clock.now)
  const states: (string | null)[] = []
  const faults: unknown[] = []
  const outcomes = new Map<EntryId, string>()
  const buried: string[] = []
  let delivered = 0
  const sender = createSender({
    outbox,
    client: upstream,
    budget,
    clock,
    maxBatch: 50,
    maxBytes: 100_000,
    maxWait: 1000,
    longestWait: 5000,
    longestBackoff: 30_000,
    aside: { base: 8000, most: 60_000, share: 20 },
    eager: false,
    random: () => 1,
    requestId: () => 'a-request',
    settlement: {
      keepRefused: true,
      settled: (id, refused) => void outcomes.set(id, refused === undefined ? 'delivered' : refused.message),
      onDelivered: count => {
        delivered += count
      },
      onBuried: (_, code) => void buried.push(code),
      ...settlement
    },
    onState: state => void states.push(state),
    onFault: error => void faults.push(error),
    ...overrides
  })
  if (!cold) {
    budget.succeeded({ number: 0, at: 0, believed: 0, corrected: 0 })
  }
  return {
    clock,
    outbox,
    budget,
    upstream,
    sender,
    states,
    faults,
    outcomes,
    buried,
    delivered: () => delivered,
    /** Entries of a user, with ids `user-0`, `user-1`, … from `from`. */
    async append(user: string, count = 1, from = 0) {
      const entries = Array.from({ length: count }, (_, i) => ({ user, body: entry(`${user}-${from + i}`) }))
      const ids = await outbox.append(entries)
      await rest()
      return ids
    },
    /** A full budget, then a start. */
    async start() {
      if (!cold) await clock.advance(120_000)
      sender.start()
      await rest()
    }
  }
}
