import type { Clock } from '../../src/clock.js'

interface Timer {
  at: number
  callback: () => void
}

/** A clock that stands still until it is told otherwise. `soon` is the real event loop's. */
export interface FakeClock extends Clock {
  /** Lets `ms` pass, timer by timer, with everything that follows from each before the next. */
  advance(ms: number): Promise<void>
  /** Sets the machine's date forward or back; nothing else passes. */
  jump(ms: number): void
  readonly timers: number
}

/** Lets promises and event loop turns that are due come to rest. */
export async function rest(turns = 6): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise(resolve => setImmediate(resolve))
}

export function createFakeClock(start = 0, wall = Date.UTC(2026, 10, 23)): FakeClock {
  const timers = new Set<Timer>()
  let now = start
  let offset = wall - start

  function next(until: number): Timer | undefined {
    let first: Timer | undefined
    for (const timer of timers) if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer
    return first
  }

  return {
    now: () => now,
    wall: () => now + offset,
    setTimeout(callback, ms) {
      const timer = { at: now + Math.max(1, ms), callback }
      timers.add(timer)
      return timer
    },
    clearTimeout: timer => void timers.delete(timer as Timer),
    soon: callback => void setImmediate(callback),
    async advance(ms) {
      const until = now + ms
      await rest()
      for (let timer = next(until); timer !== undefined; timer = next(until)) {
        timers.delete(timer)
        now = Math.max(now, timer.at)
        timer.callback()
        await rest()
      }
      now = until
      await rest()
    },
    jump(ms) {
      offset += ms
    },
    get timers() {
      return timers.size
    }
  }
}
