import type { Redis } from 'ioredis'
import type { Timing } from '../../clock.js'
import type { Answer, Scripts } from './scripts.js'

/** Longest that a start waits for Redis; without it the program runs all the same. */
const START = 2000

export interface LeaseOptions {
  redis: Redis
  scripts: Scripts
  /** Names this process; never used by another, of one length, and without a colon. */
  token: string
  /** Milliseconds between two beats. */
  beat: number
  /** Milliseconds of the lease. */
  ttl: number
  timing: Timing
  /** After each beat that Redis answered. */
  onBeat(after: Answer): void
  /** Likewise: what may take longer, once at a time. Never rejects. */
  afterBeat(): Promise<void>
  onHeld(): void
  onLost(): void
  /** Another process holds it. */
  onElsewhere(): void
  onFault(error: unknown): void
  /** What Redis said last. */
  onEnd(after: Answer): void
}

export interface Lease {
  /** What proves to Redis that this process sends; undefined while it does not, or cannot be sure. */
  holder(): string | undefined
  /** Whether it is known that another process sends. */
  elsewhere(): boolean
  /** Redis did not accept this holder. */
  lost(holder: string): void
  /** Resolves after the first beat, or when Redis did not come. */
  start(): Promise<void>
  /** Gives it back, so that another need not wait for its end. */
  stop(): Promise<void>
}

/**
 * Who sends: one replica at a time, so that each user's order holds and one budget is spent. A key in Redis with a short
 * life names it, which each beat prolongs; whoever finds none takes it, under a number that is never used again (fencing):
 * each look and each change at the front of the queue names it, and a script does nothing for one that is not the present one.
 *
 * By its own, monotonic clock a holder stops before Redis would give the lease to another. After each break of the
 * connection it begins anew, under another number: the Redis that is back may not be the one that went, or may only now
 * come to what it was asked before.
 */
export function createLease(options: LeaseOptions): Lease {
  const { redis, scripts, token, beat: interval, ttl, timing } = options
  let holder: string | undefined
  let until = 0
  let elsewhere = false
  let first = true
  let timer: unknown
  let beating: Promise<void> | undefined
  let chores: Promise<void> | undefined
  let stopped = false

  function drop(): void {
    if (holder === undefined) return
    holder = undefined
    options.onLost()
  }

  async function once(): Promise<void> {
    const sent = timing.now()
    try {
      const after = (await scripts.run('beat', token, ttl, 2 * ttl, first ? 'first' : '', holder ?? '')) as Answer
      const mine = after.more as string
      first = false
      elsewhere = mine === ''
      if (mine !== holder) drop()
      if (elsewhere) options.onElsewhere()
      else until = sent + ttl
      if (!elsewhere && holder === undefined) {
        holder = mine
        options.onHeld()
      }
      options.onBeat(after)
      // They ask Redis several times over: where that is slow, the lease would end before the next beat.
      chores ??= options.afterBeat().then(() => {
        chores = undefined
      })
    } catch (error) {
      options.onFault(error)
    }
  }

  function beat(): Promise<void> {
    if (stopped) return Promise.resolve()
    timing.clearTimeout(timer)
    beating ??= once().then(() => {
      beating = undefined
      if (!stopped) timer = timing.setTimeout(beat, interval)
    })
    return beating
  }

  function ready(): void {
    void beat()
  }

  return {
    holder() {
      if (holder !== undefined && timing.now() >= until) drop()
      return holder
    },

    elsewhere: () => elsewhere,

    lost(which) {
      if (which === holder) drop()
    },

    async start() {
      redis.on('close', drop)
      redis.on('ready', ready)
      if (redis.status !== 'ready') {
        await new Promise<void>(resolve => {
          const late = setTimeout(resolve, START)
          redis.once('ready', () => {
            clearTimeout(late)
            resolve()
          })
        })
      }
      await beat()
      await chores
    },

    async stop() {
      stopped = true
      timing.clearTimeout(timer)
      redis.off('close', drop)
      redis.off('ready', ready)
      await beating
      await chores
      holder = undefined
      const last = await scripts.run('leave', token).catch(() => undefined)
      if (last !== undefined) options.onEnd(last)
    }
  }
}
