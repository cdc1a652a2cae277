import type { EntryId } from '../outbox/outbox.js'
import { backoff } from './backoff.js'
import type { Batch } from './batch.js'
import type { Clock } from './clock.js'

/** As many entries may be put aside at once: where everything fails, that leaves most users' queues alone. */
const MOST_ASIDE = 8
/** Failures in a row after which a single entry is suspected. */
const PATIENCE = 4
const ASIDE_BASE = 30_000
const ASIDE_MOST = 600_000

/** Batches between two requests: those that are being split, and single entries put aside. All are still claimed. */
export interface Resting {
  add(batch: Batch): void
  /** The one that is due first, whether it is due or not. */
  next(): Batch | undefined
  remove(batch: Batch): void
  /**
   * One entry alone that fails where others may not: Logtrail may stumble over it for ever. It is tried again ever more
   * rarely, and meanwhile only its own user's entries wait behind it.
   * @param failures of the upstream in a row
   * @returns whether it was put aside
   */
  putAside(batch: Batch, failures: number): boolean
  /** Logtrail dealt with another batch. What was put aside while nothing went at all was probably not to blame. */
  succeeded(): void
  /** Ids of all that rest; none rests any more. */
  clear(): EntryId[]
}

export function createResting(clock: Clock, random: () => number): Resting {
  const batches = new Set<Batch>()
  let succeededAt = 0

  return {
    add: batch => void batches.add(batch),
    remove: batch => void batches.delete(batch),

    next() {
      let next: Batch | undefined
      for (const batch of batches) if (next === undefined || batch.due < next.due) next = batch
      return next
    },

    putAside(batch, failures) {
      if (batch.current.length > 1) return false
      if (batch.aside === 0 && (failures < PATIENCE || batches.size >= MOST_ASIDE)) return false
      batch.asideAt = clock.now()
      batch.due = batch.asideAt + backoff(batch.aside++, ASIDE_BASE, ASIDE_MOST, random)
      batches.add(batch)
      return true
    },

    succeeded() {
      for (const batch of batches) if (batch.asideAt > succeededAt) batch.due = 0
      succeededAt = clock.now()
    },

    clear() {
      const ids = [...batches].flatMap(batch => batch.ids())
      batches.clear()
      return ids
    }
  }
}
