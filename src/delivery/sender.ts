import { randomUUID } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Claimed, EntryId } from '../outbox/outbox.js'
import { createAlarm } from './alarm.js'
import { Batch, bodyOf, idOf } from './batch.js'
import { createBounds } from './bounds.js'
import type { Ticket } from './budget.js'
import type { Degraded, Sender, SenderOptions } from './delivery.js'
import { createGate, type Expected } from './gate.js'
import { createHealth } from './health.js'
import { createReception, type Next } from './reception.js'
import { createResting } from './resting.js'
import { createSettlement } from './settlement.js'

/** Requests under way at once, at most. The client needs as many connections. */
const CONCURRENCY = 16
/** A fault of ours: see alarm.ts. */
const MISSED = 'entries waited of which the sender was not told; it has looked by itself'

/**
 * Takes entries from an outbox in batches and brings them to Logtrail. The one loop is `pump`: whenever something happened
 * (entries came, an answer came, a time was reached) it sends all that may be sent now, and sets the alarm for the next
 * time. Order and fairness are the outbox's: no two batches hold entries of one user, so that batches are independent.
 *
 * When to send is asked of three: the budget (is there a token), the health (is the upstream there) and the gate (is the
 * batch worth a request). While Logtrail is not known to be well, one request at a time goes, as a probe.
 */
export function createSender(options: SenderOptions): Sender {
  const { outbox, client, budget, clock, keyring, wanted } = options
  const { random = Math.random, requestId = randomUUID, onFault = () => {} } = options
  const health = createHealth(clock, random, options.longestBackoff)
  const bounds = createBounds({ entries: options.maxBatch, bytes: options.maxBytes }, clock)
  const gate = createGate(options)
  const resting = createResting({ aside: options.aside, clock, random, interval: budget.interval })
  const settlement = createSettlement({ outbox, clock, onFault, freed: () => freed() }, options.settlement)
  const reception = createReception({ clock, budget, health, bounds, settle: settlement.settle, onFault })
  /** A few, and no Set: its tables would keep their entries, see outbox/passing-map.ts. */
  const underWay: Batch[] = []
  const forfeited = new WeakSet<Batch>()
  const alarm = createAlarm(
    clock,
    pump,
    () => unclaimed() > 0,
    () => onFault(new Error(MISSED))
  )
  const giveUp = new AbortController()
  // Each request under way listens; Node.js would warn of a leak.
  setMaxListeners(0, giveUp.signal)
  let started = false
  let ended = false
  let claiming = false
  let told: Degraded | null = null
  let offAppend = () => {}
  let offLost: (() => void) | undefined
  /** Set by `stop`. */
  let stopping: Promise<void> | undefined
  let stopped: (() => void) | undefined
  /** After a fault another batch is tried, if there is one: see resting.ts. */
  let otherFirst = false
  let deadline = Number.POSITIVE_INFINITY

  function pump(): void {
    if (!started || ended || claiming) return
    for (;;) {
      if (underWay.length >= most()) return
      const wait = sendNext()
      if (wait === 0) continue
      const idle = !claiming && underWay.length === 0
      if (wait < Number.POSITIVE_INFINITY) alarm.within(wait)
      else if (idle && stopping === undefined) alarm.sleep()
      if (stopping !== undefined && idle && !settlement.busy() && clock.now() + wait >= deadline) end()
      return
    }
  }

  function unclaimed(): number {
    const { waiting, claimed } = outbox.stats()
    return waiting - claimed
  }

  function shutFor(): number {
    return Math.max(budget.wait(), health.wait())
  }

  function most(): number {
    return health.probing() || !budget.proven() ? 1 : CONCURRENCY
  }

  /** @returns milliseconds until something can be sent; 0 where something was, or where it is worth trying again */
  function sendNext(): number {
    const closed = shutFor()
    const rested = resting.next()
    const restFor = rested === undefined ? Number.POSITIVE_INFINITY : Math.max(closed, resting.wait(rested))
    if (rested !== undefined && restFor <= 0 && !otherFirst) {
      resume(rested)
      return 0
    }
    const size = bounds.now()
    size.entries = health.shrink(size.entries)
    const drain = stopping !== undefined
    const probe = health.failures() > 0
    const situation = { unclaimed: unclaimed(), size, idle: underWay.length === 0, drain, probe }
    const { wait: hold, claim } = gate.hold(situation)
    if (hold > 0 && gate.soon()) alarm.soon()
    const wait = Math.min(restFor, Math.max(closed, hold))
    if (wait > 0) return wait
    if (rested !== undefined && restFor <= 0 && hold > 0) {
      resume(rested)
      return 0
    }
    const taken = outbox.claim(size)
    if (!(taken instanceof Promise)) {
      take(taken, claim)
      return 0
    }
    claiming = true
    taken
      .catch((error): Claimed[] => {
        onFault(error)
        return []
      })
      .then(entries => arrived(entries, claim))
      .catch(onFault)
    return Number.POSITIVE_INFINITY
  }

  function resume(batch: Batch): void {
    // Asked even so: a process that stood still has not heard that another sends by now.
    if (outbox.holds?.() === false) {
      forfeit()
      return
    }
    resting.remove(batch)
    send(batch, false)
  }

  function arrived(claimed: Claimed[], claim: Expected): void {
    claiming = false
    // What an answer has changed while the store was read: there may be no token left, or a pause.
    if (ended || shutFor() > 0 || underWay.length >= most()) release(claimed.map(idOf))
    else take(claimed, claim)
    pump()
  }

  function take(entries: Claimed[], claim: Expected): void {
    if (gate.claimed(entries, claim)) {
      resting.other()
      send(new Batch(entries), true)
    } else if (entries.length > 0) release(entries.map(idOf))
  }

  function release(ids: readonly EntryId[]): void {
    if (wanted === undefined) {
      void outbox.release(ids)
      return
    }
    void outbox.acknowledge(ids.filter(id => !wanted(id)))
    void outbox.release(ids.filter(wanted))
  }

  function send(batch: Batch, fresh: boolean): void {
    otherFirst = false
    const ticket = budget.take() as Ticket
    gate.sent()
    const entries = batch.current
    const body = bodyOf(entries)
    underWay.push(batch)
    client
      .post(entries.length === 1 ? 'logs' : 'bulk', body, { requestId: requestId(), signal: giveUp.signal })
      .then(answer => reception.answered(batch, ticket, body.length, answer))
      .catch((error): Next => (ended ? 'put back' : reception.failed(batch, ticket, error)))
      .then(next => back(batch, next, fresh))
      .catch(onFault)
  }

  function back(batch: Batch, next: Next, fresh: boolean): void {
    underWay.splice(underWay.indexOf(batch), 1)
    gate.freed()
    if (ended) return
    if (next === 'settled') resting.succeeded(batch)
    if (forfeited.has(batch)) release(batch.ids())
    else keep(batch, next, fresh)
    report()
    pump()
  }

  /** What is left of a batch is sent again: some time, or mixed anew. */
  function keep(batch: Batch, next: Next, fresh: boolean): void {
    if (batch.done) return
    if (next === 'failed') {
      release(resting.failed(batch, health.failures()))
      otherFirst = !fresh || resting.next() === batch
    } else if (batch.whole && batch.aside === 0) release(batch.ids())
    // One as it was claimed is mixed anew; one that was split keeps what was found out.
    else resting.add(batch)
    // It may have been given up while it was under way. Most leave nothing to rest: no reason to look through all that does.
    forget()
  }

  /** Another process sends now, and claims what is claimed here: none of it may be sent from here again. */
  function forfeit(): void {
    for (const batch of underWay) forfeited.add(batch)
    release(resting.take(() => true))
  }

  /** Batches that nobody waits for. */
  function forget(): void {
    if (wanted === undefined) return
    void outbox.acknowledge(resting.take(batch => !batch.entries().some(entry => wanted(entry.id))))
  }

  function freed(): void {
    gate.freed()
    alarm.soon()
  }

  function degraded(): Degraded | null {
    const wrong = health.wrong()
    return wrong === 'key' ? wrong : (budget.reason() ?? wrong ?? null)
  }

  function report(): void {
    if (budget.pausedFor() > 0) options.onPause?.()
    const state = degraded()
    if (state === told) return
    told = state
    options.onState?.(state, reception.fault())
  }

  /** Two refused keys are taken in turn, and each turn is a change: no news. */
  function keyChanged(): void {
    if (keyring?.state().every(each => each.state === 'refused')) return
    health.keyChanged()
    alarm.soon()
  }

  function end(): void {
    if (ended) return
    ended = true
    alarm.stop()
    offAppend()
    offLost?.()
    keyring?.off('change', keyChanged)
    settlement.stop()
    giveUp.abort()
    const ids = underWay.flatMap(batch => batch.ids())
    release([...ids, ...resting.take(() => true)])
    stopped?.()
  }

  return {
    start() {
      if (started || ended) return
      started = true
      offAppend = outbox.onAppend(alarm.soon)
      offLost = outbox.onLost?.(forfeit)
      keyring?.on('change', keyChanged)
      pump()
    },

    stop(ms) {
      stopping ??= new Promise(resolve => {
        deadline = clock.now() + ms
        const cut = clock.setTimeout(end, ms)
        stopped = () => {
          clock.clearTimeout(cut)
          resolve()
        }
      })
      if (started) pump()
      else end()
      return stopping
    },

    fault: reception.fault,

    forget() {
      forget()
      freed()
    },

    giveBack(before) {
      const old = resting.take(batch => batch.entries().some(entry => entry.receivedAt < before))
      if (old.length > 0) release(old)
    }
  }
}
