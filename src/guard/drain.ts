export interface Drain {
  /** A request was taken. */
  enter(): void
  /** It was answered, or given up. */
  leave(): void
  /** Resolves once no request is in flight, or after `ms`. */
  idle(ms: number): Promise<void>
  inFlight(): number
}

/** Counts the requests that were taken and are not yet over. */
export function createDrain(): Drain {
  let inFlight = 0
  let waiting: (() => void)[] = []
  return {
    enter() {
      inFlight += 1
    },
    leave() {
      inFlight -= 1
      if (inFlight > 0 || waiting.length === 0) return
      for (const resolve of waiting) resolve()
      waiting = []
    },
    inFlight: () => inFlight,
    idle(ms) {
      if (inFlight === 0) return Promise.resolve()
      return new Promise(resolve => {
        const timer = setTimeout(resolve, ms)
        waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }
}
