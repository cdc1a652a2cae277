import type { Batch } from '../../src/delivery/batch.js'
import type { Tries, TriesOptions } from '../../src/delivery/tries.js'

/** What src/delivery/tries.ts does, by looking at all that rests each time: in what order it is tried is plain here. */
export function createPlainTries({ clock, share, interval }: TriesOptions): Tries {
  const batches = new Set<Batch>()
  let asideFrom = 0

  const wait = (batch: Batch) => (batch.aside === 0 ? 0 : Math.max(batch.due, asideFrom) - clock.now())

  function take(which: (batch: Batch) => boolean): Batch[] {
    const found = [...batches].filter(which)
    for (const batch of found) batches.delete(batch)
    return found
  }

  return {
    add: batch => void batches.add(batch),
    wait,
    take,
    takeReady: which => take(batch => batch.aside === 0 && which(batch)),
    ready: () => [...batches].filter(batch => batch.aside === 0),

    next() {
      let next: Batch | undefined
      let least = Number.POSITIVE_INFINITY
      for (const batch of batches) {
        const left = wait(batch)
        if (left < least) {
          next = batch
          least = left
        }
      }
      return next
    },

    remove(batch) {
      batches.delete(batch)
      if (batch.aside === 0) return
      batch.due = 0
      asideFrom = clock.now() + share * interval()
    },

    release() {
      for (const batch of batches) batch.due = 0
      asideFrom = 0
    }
  }
}
