import { HttpError } from '../../errors.js'
import { cutReason, type DeadReason, type EntryId } from '../outbox.js'
import type { Lease } from './lease.js'
import type { Answer, Scripts } from './scripts.js'
import type { Window } from './window.js'

/** Settled in one step of Redis. */
const SLICE = 500
const BURIED = 100

export interface SettlingOptions {
  scripts: Scripts
  window: Window
  lease: Lease
  now: () => number
  /** What Redis said; `settle` is called, as what is gone by that leaves the window. */
  heard: (after: Answer, settle: () => void) => void
  failed: (error: unknown) => HttpError
}

export interface Settling {
  flush(): Promise<void>
  bury(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void>
}

/** Brings to Redis what became of claimed entries. Each step names the lease, and does nothing once that is another's. */
export function createSettling({ scripts, window, lease, now, heard, failed }: SettlingOptions): Settling {
  let flushing: Promise<void> | undefined

  /** Brings to Redis what was settled here. Where that fails, the next beat does it, or whoever sends then. */
  function flush(): Promise<void> {
    flushing ??= (async () => {
      for (let holder = lease.holder(); holder !== undefined && window.settled.size > 0; holder = lease.holder()) {
        const some = [...window.settled].slice(0, SLICE)
        const gone = some.flatMap(([id, { size, from }]) => [`${id}-0`, size, from])
        const after = await scripts.run('forget', holder, ...gone)
        if (after === undefined) {
          lease.lost(holder)
          return
        }
        heard(after, () => window.confirmed(some.map(([id]) => id)))
      }
    })()
      .catch(failed)
      .then(() => {
        flushing = undefined
      })
    return flushing
  }

  async function buryInSlices(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void> {
    for (let i = 0; i < items.length; i += BURIED) {
      const some = items.slice(i, i + BURIED)
      const ids = some.map(({ id }) => id)
      const settle = () => {
        window.lower(ids)
        window.settle(ids, false)
      }
      const holder = lease.holder()
      if (holder !== undefined) {
        const pairs = some.flatMap(({ id, reason }) => [`${id}-0`, JSON.stringify(cutReason(reason))])
        const after = await scripts.run('bury', holder, now(), ...pairs).catch(error => {
          throw failed(error)
        })
        if (after === undefined) {
          lease.lost(holder)
          throw new HttpError('QUEUE_FULL', { cause: 'another process sends now' })
        }
        heard(after, settle)
      } else if (lease.elsewhere()) {
        // It will bury them itself.
        settle()
      } else throw new HttpError('QUEUE_FULL', { cause: 'Redis does not say who sends' })
    }
  }

  async function bury(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void> {
    const reasons = new Map(items.map(({ id, reason }) => [id, reason]))
    const ids = window.lift(items.map(({ id }) => id))
    try {
      await buryInSlices(ids.map(id => ({ id, reason: reasons.get(id) as DeadReason })))
    } finally {
      window.lower(ids)
    }
  }

  return { flush, bury }
}
