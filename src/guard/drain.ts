import type { Server } from 'node:http'

export interface Drain {
  /** Resolves once no request is in flight, or after `ms`. */
  idle(ms: number): Promise<void>
  inFlight(): number
}

/** Counts the requests that a server has taken and not yet answered, or given up. */
export function createDrain(server: Server): Drain {
  let inFlight = 0
  let waiting: (() => void)[] = []
  server.on('request', (_request, response) => {
    inFlight += 1
    // 'close' comes after the last byte as well as when the client goes away before it
    response.once('close', () => {
      inFlight -= 1
      if (inFlight > 0) return
      for (const resolve of waiting) resolve()
      waiting = []
    })
  })
  return {
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
