import { backoff } from '../../src/delivery/backoff.js'
import type { Batch } from '../../src/delivery/batch.js'
import type { Resting, RestingOptions } from '../../src/delivery/resting.js'
import type { EntryId } from '../../src/outbox/outbox.js'

const MOST_KEPT = 16
const MOST_SINGLE = 64
const PATIENCE = 4

/** What src/delivery/resting.ts does, by looking at all that rests each time: in what order it is tried is plain here. */
export function createPlainResting({ aside, clock, random, interval }: RestingOptions): Resting {
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
      if (batch.aside === 0) return
      batch.due = 0
      asideFrom = clock.now() + aside.share * interval()
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
