import type { Clock } from '../clock.js'
import type { EntryId } from '../outbox/outbox.js'
import { backoff } from './backoff.js'
import type { Batch } from './batch.js'
import { createTries, type Tries } from './tries.js'

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
export interface Resting extends Pick<Tries, 'add' | 'next' | 'wait' | 'remove'> {
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
export function createResting(
  { aside, clock, random, interval }: RestingOptions,
  tries: Tries = createTries({ clock, share: aside.share, interval })
): Resting {
  let others = 0

  function putAside(batch: Batch): void {
    batch.due = clock.now() + backoff(batch.aside++, aside.base, aside.most, random)
    tries.add(batch)
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
    tries.add(batch)
  }

  /** As it was claimed, and nothing is held against it. */
  const unknown = (batch: Batch) => batch.whole && batch.aside === 0 && !batch.suspect

  function kept(): number {
    let count = 0
    for (const batch of tries.ready()) if (unknown(batch)) count++
    return count
  }

  return {
    add: tries.add,
    next: tries.next,
    wait: tries.wait,
    remove: tries.remove,

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
        const back = idsOf(tries.takeReady(each => unknown(each) && each.current.length > 1))
        if (batch.current.length > 1 || kept() >= MOST_SINGLE) return [...back, ...batch.ids()]
        tries.add(batch)
        return back
      } else if (unknown(batch) && kept() >= MOST_KEPT) return batch.ids()
      else if (batch.alone >= PATIENCE) part(batch, false)
      else tries.add(batch)
      return []
    },

    succeeded(batch) {
      for (const each of tries.ready()) if (each.faults > 0) each.suspect = true
      if (batch.aside > 0) tries.release()
      batch.aside = 0
      batch.suspect = false
    },

    take: which => idsOf(tries.take(which))
  }
}

function idsOf(batches: Batch[]): EntryId[] {
  return batches.flatMap(batch => batch.ids())
}
