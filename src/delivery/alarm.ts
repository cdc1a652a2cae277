import type { Clock } from '../clock.js'

/** Longest delay of one timer: beyond 2^31 ms Node.js would fire it at once. */
const LONGEST_TIMER = 3_600_000
/** Whoever sleeps until he is told of something looks all the same, so often. */
const LOOK_AGAIN = 5_000

/** When the sender looks next whether there is something to send. */
export interface Alarm {
  /** Something has happened: with the next turn of the event loop, so that what comes in that is seen together. */
  soon(): void
  /** In so many milliseconds, or before. */
  within(ms: number): void
  /** When `soon` is called; should that be missed, some seconds late and not never. */
  sleep(): void
  stop(): void
}

/**
 * @param look is called when it is time
 * @param missed whether there is something of which nobody told while it slept
 * @param onMissed which is a fault of ours
 */
export function createAlarm(clock: Clock, look: () => void, missed: () => boolean, onMissed: () => void): Alarm {
  let scheduled = false
  let stopped = false
  let asleep = false
  let timer: unknown
  let at = Number.POSITIVE_INFINITY

  function turn(): void {
    scheduled = false
    look()
  }

  function ring(): void {
    at = Number.POSITIVE_INFINITY
    if (asleep && missed()) onMissed()
    asleep = false
    look()
  }

  /** One that comes earlier is left as it is: it looks, and sets the next. A timer for each look would cost more than the look. */
  function within(ms: number): void {
    const then = clock.now() + ms
    if (at <= then) return
    clock.clearTimeout(timer)
    at = then
    timer = clock.setTimeout(ring, ms)
  }

  return {
    soon() {
      asleep = false
      if (scheduled || stopped) return
      scheduled = true
      clock.soon(turn)
    },

    within: ms => within(Math.min(Math.ceil(ms), LONGEST_TIMER)),

    sleep() {
      asleep = true
      within(LOOK_AGAIN)
    },

    stop() {
      stopped = true
      clock.clearTimeout(timer)
    }
  }
}
