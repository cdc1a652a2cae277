/** Time as an argument: tests turn it by hand. Milliseconds, and only forward, whatever happens to the machine's date. */
export interface Timing {
  now(): number
  /** Keeps no process alive. */
  setTimeout(callback: () => void, ms: number): unknown
  clearTimeout(timer: unknown): void
}

export const systemTiming: Timing = {
  now: () => performance.now(),
  setTimeout: (callback, ms) => setTimeout(callback, ms).unref(),
  clearTimeout: timer => clearTimeout(timer as NodeJS.Timeout | undefined)
}
