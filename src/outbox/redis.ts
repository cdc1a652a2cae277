import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { HttpError } from '../errors.js'
import type { ClaimBounds, DeadReason, EntryId, NewEntry, Outbox, OutboxStats, Started } from './outbox.js'
import { createDeadLetters, writeReason } from './redis/dead-letters.js'
import { createLease } from './redis/lease.js'
import { createReplicas } from './redis/replicas.js'
import { type Answer, createScripts, QUEUE_PREFIX } from './redis/scripts.js'
import { queueSettings } from './redis/settings.js'
import { Window } from './redis/window.js'

export interface RedisOutboxEvent {
  /**
   * `settings`: Redis keeps entries less well than a 202 says; `replicas`, `replicas-well`: those of Redis do not confirm,
   * or do again; `unwritable`, `writable`: appends began to fail, or succeed again; `sending`, `not-sending`: it is this
   * process that sends from now on, or no longer.
   */
  kind: 'settings' | 'replicas' | 'replicas-well' | 'unwritable' | 'writable' | 'sending' | 'not-sending'
  /** Without users' data, addresses or passwords. */
  message: string
}

export interface RedisOutboxOptions {
  /** A connection of this outbox's own, whose commands fail in bounded time while Redis is away. */
  redis: Redis
  /** QUEUE_MAX_BYTES: of entries and dead letters together, each with its user's name and some 60 bytes. */
  maxBytes: number
  prefix?: string
  /** Milliseconds. May jump. */
  now?: () => number
  report?: (event: RedisOutboxEvent) => void
  /** Ends the connection; called at the end of `stop`. */
  close?: () => void
  /** Milliseconds between two looks at Redis, and those of the lease: 1 s and 5 s. */
  beat?: number
  lease?: number
}

/** Settled in one step of Redis. */
const SLICE = 500
const BURIED = 100
const EXPIRED: DeadReason = { code: 'EXPIRED', message: 'waited longer than QUEUE_MAX_AGE' }
/** Seconds: the queue empties by whole batches, but Redis may be back at once. */
const RETRY_FULL = 10
const RETRY_AWAY = 5

/**
 * The store of `DELIVERY=queued` for several replicas: entries lie in a stream of Redis, any replica appends, and the one
 * that holds the lease claims (`redis/lease.ts`). To the others `claim` answers `[]`.
 *
 * What differs from the interface: an append whose answer was lost is rejected although Redis may have it, so an entry may be
 * sent that its browser was told to send again. What an earlier holder of the lease still had under way when it lost
 * it may be sent twice: a late settling does nothing (fencing).
 */
export function createRedisOutbox(options: RedisOutboxOptions): Outbox {
  const { redis, maxBytes, now: clock = Date.now, report = () => {}, close = () => {} } = options
  const now = () => Math.max(0, Math.floor(clock()))
  const scripts = createScripts(redis, options.prefix ?? QUEUE_PREFIX)
  const window = new Window(scripts)
  const listeners = new Set<() => void>()
  const appending = new Set<Promise<unknown>>()
  const replicas = createReplicas(redis, lagging =>
    report(
      lagging
        ? { kind: 'replicas', message: 'no replica of Redis confirms entries in time: they rest on the primary alone' }
        : { kind: 'replicas-well', message: 'a replica of Redis confirms entries again' }
    )
  )
  let known: Answer = { waiting: 0, bytes: 0, deadLetters: 0, more: 0 }
  let fault: string | undefined = 'Redis was not reached yet'
  let settingsTold = false
  let flushing: Promise<void> | undefined
  let started: Promise<Started> | undefined
  let stopped: Promise<void> | undefined
  let filling: Promise<unknown> = Promise.resolve()

  const lease = createLease({
    redis,
    scripts,
    token: randomUUID(),
    beat: options.beat ?? 1000,
    ttl: options.lease ?? 5000,
    async onBeat(after) {
      const more = after.waiting > known.waiting
      know(after)
      well()
      if (more) tell()
      await replicas.look()
      if (!settingsTold) await tellSettings()
      await flush()
    },
    onHeld() {
      window.clear()
      report({ kind: 'sending', message: 'this process sends the entries of the shared queue' })
      tell()
    },
    onLost() {
      window.clear()
      report({ kind: 'not-sending', message: 'this process does not send the entries of the shared queue any more' })
    },
    onElsewhere: () => window.disown(),
    onFault: failed
  })

  function know(after: Answer): void {
    known = after
  }

  function tell(): void {
    for (const listener of listeners) listener()
  }

  function well(): void {
    if (fault === undefined) return
    fault = undefined
    report({ kind: 'writable', message: 'entries are stored in Redis' })
  }

  /** Says once that entries cannot be stored. A Redis whose memory is full is none of this: it is a full queue. */
  function failed(error: unknown): HttpError {
    const { name, message } = error as Error
    const code = name === 'ReplyError' ? message.split(' ', 1)[0] : undefined
    const cause = code === undefined ? 'Redis is away or does not answer' : `Redis refuses it: ${code}`
    if (code !== 'OOM' && fault === undefined) {
      fault = cause
      report({ kind: 'unwritable', message: `entries cannot be stored: ${cause}` })
    }
    return new HttpError('QUEUE_FULL', { cause, retryAfter: RETRY_AWAY })
  }

  async function tellSettings(): Promise<void> {
    try {
      for (const message of await queueSettings(redis)) report({ kind: 'settings', message })
      settingsTold = true
    } catch {
      // Away again: the next beat asks.
    }
  }

  async function store(entries: readonly NewEntry[]): Promise<EntryId[]> {
    const texts = entries.flatMap(({ user, body }) => [user, body])
    let after: Answer
    try {
      after = (await scripts.run('append', maxBytes, now(), ...texts)) as Answer
    } catch (error) {
      throw failed(error)
    }
    know(after)
    if (after.more === -1) throw new HttpError('QUEUE_FULL', { retryAfter: RETRY_FULL })
    const confirmed = replicas.confirmed()
    if (confirmed) await confirmed
    tell()
    const first = Number(after.more)
    return entries.map((_, i) => first + i)
  }

  /** @returns whether there is a window to claim from */
  function fill(): Promise<boolean> {
    const filled = filling.then(async () => {
      const holder = lease.holder()
      if (holder === undefined) return false
      try {
        if (await window.fill(holder)) return lease.holder() === holder
        lease.lost(holder)
      } catch (error) {
        failed(error)
      }
      return false
    })
    filling = filled
    return filled
  }

  /** Brings to Redis what was settled here. Where that fails, the next beat does it, or whoever sends then. */
  function flush(): Promise<void> {
    flushing ??= (async () => {
      for (let holder = lease.holder(); holder !== undefined && window.settled.size > 0; holder = lease.holder()) {
        const some = [...window.settled].slice(0, SLICE)
        const pairs = some.flatMap(([id, size]) => [`${id}-0`, size])
        const after = await scripts.run('forget', holder, ...pairs)
        if (after === undefined) {
          lease.lost(holder)
          return
        }
        window.confirmed(some.map(([id]) => id))
        know(after)
      }
    })()
      .catch(failed)
      .then(() => {
        flushing = undefined
      })
    return flushing
  }

  async function entomb(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void> {
    for (let i = 0; i < items.length; i += BURIED) {
      const some = items.slice(i, i + BURIED)
      const holder = lease.holder()
      if (holder !== undefined) {
        const pairs = some.flatMap(({ id, reason }) => [`${id}-0`, writeReason(reason)])
        const after = await scripts.run('bury', holder, now(), ...pairs).catch(error => {
          throw failed(error)
        })
        if (after === undefined) lease.lost(holder)
        else know(after)
        if (after === undefined) throw new HttpError('QUEUE_FULL', { cause: 'another process sends now' })
      } else if (!lease.elsewhere()) {
        throw new HttpError('QUEUE_FULL', { cause: 'Redis does not say who sends', retryAfter: RETRY_AWAY })
      }
      // Where another process sends, it will bury them itself.
      const ids = some.map(({ id }) => id)
      window.lower(ids)
      window.settle(ids, false)
    }
  }

  async function bury(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void> {
    const reasons = new Map(items.map(({ id, reason }) => [id, reason]))
    const ids = window.lift(items.map(({ id }) => id))
    try {
      await entomb(ids.map(id => ({ id, reason: reasons.get(id) as DeadReason })))
    } finally {
      window.lower(ids)
    }
  }

  return {
    start() {
      started ??= (async () => {
        const others = await lease.start()
        // With other replicas alive the entries are in the books of one of them.
        return { inherited: others === 0 ? known.waiting : 0, deadLetters: known.deadLetters }
      })()
      return started
    },

    append(entries) {
      if (stopped) return Promise.reject(new HttpError('SHUTTING_DOWN'))
      if (entries.length === 0) return []
      const stored = store(entries)
      appending.add(stored)
      const done = () => void appending.delete(stored)
      stored.then(done, done)
      return stored
    },

    async claim(max: ClaimBounds) {
      return !stopped && (await fill()) && !stopped ? window.take(max) : []
    },

    acknowledge(ids) {
      window.settle(ids, true)
      return flush()
    },

    release: ids => window.release(ids),
    bury,

    async expire(maxAge) {
      let sum = 0
      while (await fill()) {
        const ids = window.takeOld(now() - maxAge, BURIED)
        if (ids.length === 0) break
        try {
          await bury(ids.map(id => ({ id, reason: EXPIRED })))
        } catch {
          window.release(ids)
          break
        }
        sum += ids.length
      }
      return sum
    },

    stats(): OutboxStats {
      const stats: OutboxStats = {
        waiting: Math.max(0, known.waiting - window.settled.size),
        claimed: window.claimed,
        bytes: Math.max(0, known.bytes - window.settledBytes),
        deadLetters: known.deadLetters,
        writable: fault === undefined && stopped === undefined
      }
      if (known.oldest !== undefined) stats.oldest = known.oldest
      if (fault !== undefined) stats.fault = fault
      return stats
    },

    deadLetters: createDeadLetters(redis, scripts, now, (after, retried) => {
      know(after)
      if (retried) tell()
    }),

    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    stop() {
      stopped ??= (async () => {
        await Promise.allSettled([...appending])
        await started
        await flush()
        await lease.stop()
        close()
      })()
      return stopped
    }
  }
}
