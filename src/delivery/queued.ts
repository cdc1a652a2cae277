import type { Outbox } from '../outbox/outbox.js'
import type { Delivery, DeliveryOptions } from './delivery.js'
import { createSender } from './sender.js'
import type { SettlementOptions } from './settlement.js'

/** Entries are looked through for old ones so often; where they live shorter, as often as that. */
const EXPIRY = 60_000
/** After the machine's date was changed by more than this against the time that passed, nothing expires for a while. */
const JUMP = 30_000
const GRACE = 600_000
const LONGEST_WAIT = 5_000
const LONGEST_BACKOFF = 30_000
/** A good entry waits no longer than after a 429, and a bad one is tried once a minute as long as the queue keeps it. */
const ASIDE = { base: 8000, most: 60_000, share: 20 }

export interface QueuedOptions extends DeliveryOptions, Pick<SettlementOptions, 'onDelivered' | 'onBuried'> {
  outbox: Outbox
  /** QUEUE_MAX_AGE, milliseconds. */
  maxAge: number
}

/**
 * Answers as soon as entries are stored; a fault of Logtrail is ridden out. What `deliver` resolved for is sent until
 * Logtrail has taken it, or is a dead letter.
 */
export function createQueued(options: QueuedOptions): Delivery {
  const { outbox, clock, maxAge, onDelivered, onBuried, onFault } = options
  const sender = createSender({
    ...options,
    longestWait: LONGEST_WAIT,
    longestBackoff: LONGEST_BACKOFF,
    aside: ASIDE,
    eager: false,
    settlement: { keepRefused: true, onDelivered, onBuried }
  })
  let timer: unknown
  let stopping: Promise<void> | undefined
  let offset = 0
  let sure = 0

  function ageLater(): void {
    if (stopping !== undefined) return
    timer = clock.setTimeout(
      () => {
        age().catch(onFault).finally(ageLater)
      },
      Math.min(EXPIRY, maxAge)
    )
  }

  /**
   * An entry's age is told by the machine's date. When that has jumped, ages are wrong until it is put right, if it is: who
   * set it wrong for a moment must not lose a queue. (What expires is not lost either: it is a dead letter.)
   */
  async function age(): Promise<void> {
    const now = clock.now()
    const before = offset
    offset = clock.wall() - now
    if (Math.abs(offset - before) > JUMP) sure = now + GRACE
    if (now < sure) return
    sender.giveBack(clock.wall() - maxAge)
    await expire()
  }

  async function expire(): Promise<void> {
    const expired = await outbox.expire(maxAge)
    if (expired > 0) onBuried?.(expired, 'EXPIRED')
  }

  async function stop(ms: number): Promise<void> {
    clock.clearTimeout(timer)
    await sender.stop(ms)
    await outbox.stop()
  }

  return {
    async start() {
      const started = await outbox.start()
      offset = clock.wall() - clock.now()
      // before the first request: what grew too old while nothing ran is not sent
      await expire().catch(onFault)
      sender.start()
      ageLater()
      return started
    },

    async deliver({ user, entries }) {
      if (entries.length > 0) await outbox.append(entries.map(body => ({ user, body })))
      return { accepted: entries.length }
    },

    stop(ms) {
      stopping ??= stop(ms)
      return stopping
    },

    fault: sender.fault
  }
}
