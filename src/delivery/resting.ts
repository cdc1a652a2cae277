import type { EntryId } from '../outbox/outbox.js'
import { backoff } from './backoff.js'
import type { Batch } from './batch.js'
import type { Clock } from './clock.js'

/** At most so many whole ones are kept for a fault; further ones go back to the outbox. */
const MOST_KEPT = 16
/** And so many single ones while nothing passes: whoever comes new is tried before they are tried again. */
const MOST_SINGLE = 64
/** Faults in a row that say: it is the upstream. Also: faults of one batch in a row, while there was nothing else to try. */
const PATIENCE = 4

/** How long entries that were put aside wait to be tried again. */
export interface Aside {
  /** Milliseconds, at most, before the first of these tries; twice as many before each further one, up to `most`. */
  base: number
  most: number
  /** All that are put aside may cost one request in so many of the plan's. */
  share: number
}

export interface RestingOptions {
  aside: Aside
  clock: Clock
  random: () => number
  /** Milliseconds in which one request is gained. */
  interval: () => number
}

/** Batches between two requests: those that were split, and those that met a fault. All are still claimed. */
export interface Resting {
  /** To go on as soon as may be. */
  add(batch: Batch): void
  /** The one whose turn it is, whether it is due or not. */
  next(): Batch | undefined
  /** Milliseconds until it may be tried, or less than 0; 0 for any that is not put aside. */
  wait(batch: Batch): number
  remove(batch: Batch): void
  /** One that was never tried before is sent: what rests is no longer all that there is. */
  other(): void
  /**
   * A batch met a fault of the upstream.
   * @param failures of the upstream in a row, this one included
   * @returns ids that are to go back to the outbox
   */
  failed(batch: Batch, failures: number): EntryId[]
  /** Logtrail dealt with a batch. */
  succeeded(batch: Batch): void
  /** Takes batches out. @returns ids of all their entries */
  take(which: (batch: Batch) => boolean): EntryId[]
}

/**
 * An upstream that fails may be down; or it stumbles over one entry, again and again, and only the batch that holds it
 * fails. The two are told apart by trying another batch next. Where that one passes, the first is a suspect: it is tried
 * again, and parted where it fails again, until one entry stands alone. That one is put aside and tried ever more rarely;
 * only its own user's entries wait behind it, and the others of its batch go.
 *
 * Where nothing passes, whole batches go back to be claimed anew, in smaller ones (see health.ts), until one passes: there
 * may be such an entry in every full batch.
 *
 * What is put aside is tried at least every `aside.most`, as long as all of them together take no more than their share of
 * the plan's requests; and when one of them passes, the others may at once: then it was the upstream after all.
 */
export function createResting({ aside, clock, random, interval }: RestingOptions): Resting {
  const batches = new Set<Batch>()
  let others = 0
  let asideFrom = 0

  function putAside(batch: Batch): void {
    batch.due = clock.now() + backoff(batch.aside++, aside.base, aside.most, random)
    batches.add(batch)
  }

  /** Suspects stay so, in parts. */
  function part(batch: Batch, away: boolean): void {
    if (batch.current.length > 1) {
      for (const each of batch.parts()) rest(each, batch.suspect)
      return
    }
    const alone = batch.detach()
    if (away) putAside(alone)
    else rest(alone, batch.suspect)
    if (!batch.done) rest(batch, false)
  }

  function rest(batch: Batch, suspect: boolean): void {
    batch.suspect = suspect
    batch.alone = 0
    batches.add(batch)
  }

  function take(which: (batch: Batch) => boolean): EntryId[] {
    const found = [...batches].filter(which)
    for (const batch of found) batches.delete(batch)
    return found.flatMap(batch => batch.ids())
  }

  /** As it was claimed, and nothing is held against it. */
  const unknown = (batch: Batch) => batch.whole && batch.aside === 0 && !batch.suspect

  function kept(): number {
    let count = 0
    for (const batch of batches) if (unknown(batch)) count++
    return count
  }

  const wait = (batch: Batch) => (batch.aside === 0 ? 0 : Math.max(batch.due, asideFrom) - clock.now())

  return {
    add: batch => void batches.add(batch),
    wait,

    remove(batch) {
      batches.delete(batch)
      if (batch.aside > 0) asideFrom = clock.now() + aside.share * interval()
    },

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

    other() {
      others++
    },

    failed(batch, failures) {
      if (batch.aside > 0) {
        putAside(batch)
        return []
      }
      batch.alone = batch.others === others ? batch.alone + 1 : 1
      batch.others = others
      if (batch.suspect && failures < PATIENCE) part(batch, true)
      else if (unknown(batch) && failures >= PATIENCE) {
        const back = take(each => unknown(each) && each.current.length > 1)
        if (batch.current.length > 1 || kept() >= MOST_SINGLE) return [...back, ...batch.ids()]
        batches.add(batch)
        return back
      } else if (unknown(batch) && kept() >= MOST_KEPT) return batch.ids()
      else if (batch.alone >= PATIENCE) part(batch, false)
      else batches.add(batch)
      return []
    },

    succeeded(batch) {
      for (const each of batches) {
        if (each.faults > 0) each.suspect = true
        if (batch.aside > 0) each.due = 0
      }
      if (batch.aside > 0) asideFrom = 0
      batch.aside = 0
      batch.suspect = false
    },

    take
  }
}
