import { randomBytes } from 'node:crypto'
import type { Redis } from 'ioredis'
import { backgroundTiming, type Timing } from '../clock.js'
import { HttpError } from '../errors.js'
import {
  type ClaimBounds,
  type EntryId,
  type NewEntry,
  type Outbox,
  type OutboxStats,
  type Started,
  tooOld
} from './outbox.js'
import { type Counted, createCounts } from './redis/accounts.js'
import { createDeadLetters } from './redis/dead-letters.js'
import { createRedisHealth, type RedisOutboxEvent } from './redis/health.js'
import { createLease } from './redis/lease.js'
import { createReplicas } from './redis/replicas.js'
import { type Answer, createScripts, QUEUE_PREFIX } from './redis/scripts.js'
import { queueSettings } from './redis/settings.js'
import { createSettling } from './redis/settling.js'
import { Window } from './redis/window.js'

export interface RedisOutboxOptions {
  /** A connection of this outbox's own, whose commands fail in bounded time while Redis is away. */
  redis: Redis
  /** QUEUE_MAX_BYTES: of entries and dead letters together, each with its user's name and some 60 bytes. */
  maxBytes: number
  prefix?: string
  /** Milliseconds. May jump. */
  now?: () => number
  report?: (event: RedisOutboxEvent) => void
  /**
   * What has come and gone by this replica, each entry once, whoever sent it: `inherited` after the start (of a replica that is
   * gone, or a dead letter that was retried), `delivered`, `dead_letter`.
   */
  count?: (what: Counted, entries: number) => void
  /** Ends the connection; called at the end of `stop`. */
  close?: () => void
  /** Milliseconds between two looks at Redis, and those of the lease: 1 s and 5 s. */
  beat?: number
  lease?: number
  timing?: Timing
}

/** Looked through for old ones at a time. */
const OLD = 100
/** Seconds: the queue empties by whole batches, but Redis may be back at once. */
const RETRY_FULL = 10

/**
 * The store of `DELIVERY=queued` for several replicas: entries lie in a stream of Redis, any replica appends, and the one
 * that holds the lease claims (`redis/lease.ts`). To the others `claim` answers `[]`.
 *
 * What differs from the interface: an append whose answer was lost is rejected although Redis may have it, so an entry may be
 * sent that its browser was told to send again. What an earlier holder of the lease still had under way when it lost
 * it may be sent twice: a late settling does nothing (fencing).
 */
export function createRedisOutbox(options: RedisOutboxOptions): Outbox {
  const { redis, maxBytes, now: clock = Date.now, report = () => {}, close } = options
  const token = randomBytes(6).toString('base64url')
  const now = () => Math.max(0, Math.floor(clock()))
  const scripts = createScripts(redis, options.prefix ?? QUEUE_PREFIX)
  const window = new Window(scripts)
  const listeners = new Set<() => void>()
  const losers = new Set<() => void>()
  const appending = new Set<Promise<unknown>>()
  const replicas = createReplicas(redis, lagging =>
    report(
      lagging
        ? { kind: 'replicas', message: 'no replica of Redis confirms entries in time: they rest on the primary alone' }
        : { kind: 'replicas-well', message: 'a replica of Redis confirms entries again' }
    )
  )
  const health = createRedisHealth(report)
  let inherited: number | undefined = 0
  const counts = createCounts((what, entries) => {
    if (what === 'inherited' && inherited !== undefined) inherited += entries
    else options.count?.(what, entries)
  })
  let known: Answer = { waiting: 0, bytes: 0, deadLetters: 0, more: 0 }
  let settingsTold = false
  let started: Promise<Started> | undefined
  let stopped: Promise<void> | undefined
  let filling: Promise<unknown> = Promise.resolve()

  const lease = createLease({
    redis,
    scripts,
    token,
    beat: options.beat ?? 1000,
    ttl: options.lease ?? 5000,
    timing: options.timing ?? backgroundTiming,
    onBeat(after) {
      heard(after)
      health.well()
      void settling.flush()
    },
    async afterBeat() {
      await replicas.look()
      if (!settingsTold) await tellSettings()
    },
    onHeld() {
      window.clear()
      report({ kind: 'sending', message: 'this process sends the entries of the shared queue' })
      tell()
    },
    onLost() {
      change(() => window.clear())
      report({ kind: 'not-sending', message: 'this process does not send the entries of the shared queue any more' })
      for (const loser of losers) loser()
    },
    onElsewhere: () => change(() => window.disown()),
    onFault: health.failed,
    onEnd: know
  })
  const settling = createSettling({ scripts, window, lease, now, heard, failed: health.failed })

  function know(after: Answer): void {
    known = after
    if (after.account !== undefined) counts.said(after.account, appending.size === 0)
  }

  /**
   * Entries that came by other replicas are learned of from whatever Redis says first: a beat, or the answer to an acknowledgement.
   * Whoever reads it tells, or nobody does.
   * @param settle what is known to be gone by that answer leaves the window
   */
  function heard(after: Answer, settle: () => void = () => {}): void {
    change(() => {
      settle()
      know(after)
    })
  }

  /** Tells where by that more waits than was known. */
  function change(what: () => void): void {
    const before = unclaimed()
    what()
    if (unclaimed() > before) tell()
  }

  function unclaimed(): number {
    return known.waiting - window.settled.size - window.claimed
  }

  function tell(): void {
    for (const listener of listeners) listener()
  }

  async function tellSettings(): Promise<void> {
    try {
      for (const { message } of await queueSettings(redis)) report({ kind: 'settings', message })
      settingsTold = true
    } catch {
      // Away again: the next beat asks.
    }
  }

  async function store(entries: readonly NewEntry[]): Promise<EntryId[]> {
    const texts = entries.flatMap(({ user, body }) => [user, body])
    let after: Answer
    try {
      after = (await scripts.run('append', maxBytes, now(), token, ...texts)) as Answer
    } catch (error) {
      throw health.failed(error)
    }
    if (after.more === -1) {
      heard(after)
      throw new HttpError('QUEUE_FULL', { retryAfter: RETRY_FULL })
    }
    know(after)
    counts.stored(entries.length)
    tell()
    const confirmed = replicas.confirmed()
    if (confirmed) await confirmed
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
        health.failed(error)
        // The stream was taken away by other hands, and its readers with it: whoever begins anew makes them.
        if ((error as Error).message.includes('NOGROUP')) lease.lost(holder)
      }
      return false
    })
    filling = filled
    return filled
  }

  return {
    start() {
      started ??= (async () => {
        await lease.start()
        // Of replicas that are gone; what came by others that live is in their books.
        const found = inherited as number
        inherited = undefined
        return { inherited: found }
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
      return settling.flush()
    },

    release: ids => window.release(ids),
    bury: settling.bury,

    async expire(maxAge) {
      const reason = tooOld(maxAge)
      let sum = 0
      while (await fill()) {
        const ids = window.takeOld(now() - maxAge, OLD)
        if (ids.length === 0) break
        try {
          await settling.bury(ids.map(id => ({ id, reason })))
        } catch {
          window.release(ids)
          tell()
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
        writable: health.fault() === undefined && stopped === undefined
      }
      if (known.oldest !== undefined) stats.oldest = known.oldest
      const fault = health.fault()
      if (fault !== undefined) stats.fault = fault
      return stats
    },

    deadLetters: createDeadLetters(redis, scripts, now, heard),

    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    onLost(listener) {
      losers.add(listener)
      return () => losers.delete(listener)
    },

    holds: () => lease.holder() !== undefined,

    stop() {
      stopped ??= (async () => {
        await Promise.allSettled([...appending])
        await started
        await settling.flush()
        await lease.stop()
        close?.()
      })()
      return stopped
    }
  }
}
