import { type Fault, HttpError } from '../errors.js'
import { toHttpError } from '../logtrail/verdict.js'
import type { MemoryOutbox } from '../outbox/memory.js'
import type { EntryId } from '../outbox/outbox.js'
import { PassingMap } from '../outbox/passing-map.js'
import type { Refused } from './batch.js'
import type { Delivery, DeliveryOptions, Receipt } from './delivery.js'
import { createSender } from './sender.js'

/** Requests are looked through for late ones so often, all together: a timer for each would cost more than the rest. */
const SWEEP = 100
const LONGEST_WAIT = 5_000
/** More than queued delivery grants: each entry is put aside for `timeout` at most, and somebody waits for it. */
const ASIDE_SHARE = 5

export interface PooledOptions extends DeliveryOptions {
  /** Bounded by POOL_MAX_PENDING. */
  outbox: MemoryOutbox
  /** POOL_TIMEOUT, milliseconds. */
  timeout: number
  /** Entries that left the outbox, told in the same step: the books are kept by it. */
  onSettled?: (delivered: number, rejected: number) => void
}

/** A browser's request that waits for Logtrail's verdict on its entries. */
interface Waiter {
  resolve: (receipt: Receipt) => void
  reject: (error: HttpError) => void
  deadline: number
  total: number
  /** Not settled yet. */
  left: number
  refused: { refused: Refused; index: number | null }[] | undefined
}

/** What is known of an entry that waits: whose it is, and which of its request. */
interface Place {
  waiter: Waiter
  index: number | null
}

/**
 * Many browsers' entries go in one request; each browser is answered with Logtrail's verdict on its own entries, once
 * all of them have one.
 *
 * A request some of whose entries have no verdict in time is answered with the fault, whatever became of the others: who
 * sends it again sends some twice, but loses none. `details.errors` names those that are not known to be delivered, for a
 * client that wants to send them alone. Refused ones among the rest are named when it comes again.
 */
export function createPooled(options: PooledOptions): Delivery {
  const { outbox, clock, budget, timeout, onSettled } = options
  /** By the ids of the memory outbox, which are numbers. */
  const waiting = new PassingMap<Place>()
  const sender = createSender({
    ...options,
    longestWait: Math.min(LONGEST_WAIT, timeout / 3),
    longestBackoff: timeout / 3,
    aside: { base: timeout / 10, most: timeout / 10, share: ASIDE_SHARE },
    eager: true,
    settlement: { keepRefused: false, settled, onDelivered: count },
    wanted: id => waiting.has(id as number),
    onPause: passOn
  })
  let timer: unknown
  let stopping: Promise<void> | undefined
  let stopped = false
  /** Entries that were taken and are not told yet: once for each batch. */
  let taken = 0

  function count(): void {
    onSettled?.(taken, 0)
    taken = 0
  }

  function settled(id: EntryId, refused: Refused | undefined): void {
    const place = waiting.get(id as number)
    if (place === undefined) return
    waiting.delete(id as number)
    const { waiter } = place
    if (refused === undefined) taken++
    else {
      waiter.refused ??= []
      waiter.refused.push({ refused, index: place.index })
      onSettled?.(0, 1)
    }
    if (--waiter.left === 0) answer(waiter)
  }

  function answer(waiter: Waiter): void {
    const { total, refused } = waiter
    if (refused === undefined) {
      waiter.resolve({ accepted: total })
      return
    }
    const rejected = refused.length
    const faults = refused
      .map(({ refused: { field, message }, index }): Fault => ({ log_index: index, field, message }))
      .sort(byIndex)
    if (rejected < total) {
      waiter.resolve({ accepted: total - rejected, rejected: faults })
      return
    }
    const { code, message } = (refused[0] as { refused: Refused }).refused
    waiter.reject(toHttpError({ kind: 'refused', code, message: rejected === 1 ? message : '', errors: faults }))
  }

  /** Answers those with the fault who would wait beyond `until`. */
  function giveUp(until: number, error: () => HttpError): void {
    const gone: number[] = []
    const late = new Map<Waiter, Fault[]>()
    for (const [id, { waiter, index }] of waiting) {
      if (waiter.deadline > until) continue
      gone.push(id)
      const faults = late.get(waiter) ?? []
      late.set(waiter, faults)
      faults.push({ log_index: index, field: '', message: 'not known to be delivered' })
    }
    if (gone.length === 0) return
    for (const id of gone) waiting.delete(id)
    outbox.withdraw(gone)
    onSettled?.(0, gone.length)
    sender.forget()
    const reason = error()
    for (const [waiter, faults] of late) {
      const delivered = waiter.total - faults.length - (waiter.refused?.length ?? 0)
      waiter.reject(delivered > 0 ? reason.with({ faults: faults.sort(byIndex) }) : reason)
    }
  }

  function sweep(): void {
    timer = undefined
    giveUp(clock.now(), () => sender.fault() ?? new HttpError('UPSTREAM_TIMEOUT'))
    watch()
  }

  function watch(): void {
    if (timer === undefined && waiting.size > 0) timer = clock.setTimeout(sweep, SWEEP)
  }

  /** Logtrail has answered 429 for longer than some can wait: they need not wait to hear it. */
  function passOn(): void {
    giveUp(clock.now() + budget.pausedFor(), limited)
  }

  function limited(): HttpError {
    const code = budget.reason() === 'quota' ? 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED' : 'RATE_LIMIT_PLAN_EXCEEDED'
    // Whole milliseconds first: a sum of fractions that is a hair above 30 s is 30 s. Ours may last a little longer.
    const retryAfter = Math.max(1, Math.ceil(Math.round(budget.overIn()) / 1000))
    return new HttpError(code, { retryAfter, headers: sender.fault()?.headers })
  }

  function enter(user: string, entries: readonly string[], bulk: boolean, waiter: Waiter): void {
    if (entries.length === 1) {
      const [id] = outbox.append([{ user, body: entries[0] as string }])
      waiting.set(id as number, { waiter, index: bulk ? 0 : null })
    } else {
      const ids = outbox.append(entries.map(body => ({ user, body })))
      for (let index = 0; index < ids.length; index++) waiting.set(ids[index] as number, { waiter, index })
    }
    watch()
  }

  function refuse(error: HttpError, entries: number): Promise<Receipt> {
    onSettled?.(0, entries)
    return Promise.reject(error)
  }

  async function stop(ms: number): Promise<void> {
    await sender.stop(ms)
    stopped = true
    clock.clearTimeout(timer)
    giveUp(Number.POSITIVE_INFINITY, () => new HttpError('SHUTTING_DOWN'))
    await outbox.stop()
  }

  return {
    async start() {
      const started = await outbox.start()
      sender.start()
      return started
    },

    deliver({ user, entries, bulk }) {
      const total = entries.length
      if (total === 0) return Promise.resolve({ accepted: 0 })
      if (stopped) return refuse(new HttpError('SHUTTING_DOWN'), total)
      if (budget.pausedFor() > timeout) return refuse(limited(), total)
      return new Promise((resolve, reject) => {
        const deadline = clock.now() + timeout
        try {
          enter(user, entries, bulk, { resolve, reject, deadline, total, left: total, refused: undefined })
        } catch (error) {
          onSettled?.(0, total)
          reject(error)
        }
      })
    },

    stop(ms) {
      stopping ??= stop(ms)
      return stopping
    },

    fault: sender.fault
  }
}

function byIndex(a: Fault, b: Fault): number {
  return Number(a.log_index) - Number(b.log_index)
}
