/** Time as an argument: tests turn it by hand. Milliseconds throughout. */
export interface Clock {
  /** Only goes forward, whatever happens to the machine's date: all waiting is counted by it. */
  now(): number
  /** Since 1970: for dates that Logtrail's headers name. May jump either way. */
  wall(): number
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
  /** Calls back after the event loop has looked once at what has arrived. */
  soon(callback: () => void): void
}

export const systemClock: Clock = {
  now: () => performance.now(),
  wall: Date.now,
  setTimeout: (callback, ms) => setTimeout(callback, ms),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout),
  soon: callback => {
    setImmediate(callback)
  }
}

/** What a store needs of it. */
export type Timing = Pick<Clock, 'now' | 'setTimeout' | 'clearTimeout'>

/** Whose timers keep no process alive. */
export const backgroundTiming: Timing = {
  ...systemClock,
  setTimeout: (callback, ms) => setTimeout(callback, ms).unref()
}
