/** Lets a bounded number of questions be under way at once; the others wait in turn, so many and so long. */
export interface Bulkhead {
  /** Runs `ask` when it is its turn. Rejects with BulkheadFull, without having asked, when that does not come in time. */
  pass<Answer>(ask: () => Promise<Answer>): Promise<Answer>
}

/** No turn: too many wait already, or the wait was too long. */
export class BulkheadFull extends Error {}

export interface BulkheadOptions {
  /** Questions under way at once. */
  width: number
  /** Questions that may wait. */
  waiting: number
  /** Milliseconds one may wait. */
  patienceMs: number
}

export function createBulkhead({ width, waiting, patienceMs }: BulkheadOptions): Bulkhead {
  let under = 0
  /** In order of arrival; each is called when a place has been given to it. */
  const line = new Set<() => void>()

  function turn(): Promise<void> {
    if (under < width) {
      under++
      return Promise.resolve()
    }
    if (line.size >= waiting) return Promise.reject(new BulkheadFull('too many sessions are being asked about'))
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(timer)
        resolve()
      }
      const timer = setTimeout(() => {
        line.delete(go)
        reject(new BulkheadFull(`no turn within ${patienceMs} ms`))
      }, patienceMs)
      line.add(go)
    })
  }

  /** Hands the place to whoever waits first, else frees it. */
  function leave(): void {
    const [next] = line
    if (next === undefined) {
      under--
    } else {
      line.delete(next)
      next()
    }
  }

  return {
    async pass(ask) {
      await turn()
      try {
        return await ask()
      } finally {
        leave()
      }
    }
  }
}
