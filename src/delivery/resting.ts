import type { EntryId } from '../outbox/outbox.js'
import { backoff } from './backoff.js'
import type { Batch } from './batch.js'
import type { Clock } from './clock.js'
import { Heap } from './heap.js'

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
  /** Takes out the one that `next` gave, once it may be tried. */
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
  /** What is not put aside: few. */
  const few = new Set<Batch>()
  // What is put aside may be many thousands, after hours of such faults: nothing walks these that happens at each request.
  /** Put aside, until its own time comes. */
  const unripe = new Heap<Batch>((a, b) => a.due < b.due || (a.due === b.due && a.turn < b.turn))
  /** Its own time has come, and it waits for `asideFrom` alone: those who came first go first. */
  const ripe = new Heap<Batch>((a, b) => a.turn < b.turn)
  let turns = 0
  let others = 0
  /** Never goes back while something waits for it, but to 0, when all may go. */
  let asideFrom = 0

  function add(batch: Batch): void {
    batch.turn = ++turns
    if (batch.aside > 0) unripe.add(batch)
    else few.add(batch)
  }

  function putAside(batch: Batch): void {
    batch.due = clock.now() + backoff(batch.aside++, aside.base, aside.most, random)
    add(batch)
  }

  /** Each goes over once for each time that it is put aside. */
  function ripen(until: number): void {
    for (let first = unripe.first; first !== undefined && first.due <= until; first = unripe.first) {
      unripe.shift()
      first.due = 0
      ripe.add(first)
    }
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
    add(batch)
  }

  function take(which: (batch: Batch) => boolean): EntryId[] {
    const found = [...takeFew(which), ...ripe.take(which), ...unripe.take(which)]
    return found.sort((a, b) => a.turn - b.turn).flatMap(batch => batch.ids())
  }

  function takeFew(which: (batch: Batch) => boolean): Batch[] {
    const found = [...few].filter(which)
    for (const batch of found) few.delete(batch)
    return found
  }

  /** As it was claimed, and nothing is held against it. */
  const unknown = (batch: Batch) => batch.whole && batch.aside === 0 && !batch.suspect

  function kept(): number {
    let count = 0
    for (const batch of few) if (unknown(batch)) count++
    return count
  }

  const wait = (batch: Batch) => (batch.aside === 0 ? 0 : Math.max(batch.due, asideFrom) - clock.now())

  return {
    add,
    wait,

    remove(batch) {
      if (batch.aside === 0) {
        few.delete(batch)
        return
      }
      const heap = ripe.first === batch ? ripe : unripe
      heap.shift()
      batch.due = 0
      asideFrom = clock.now() + aside.share * interval()
    },

    next() {
      ripen(asideFrom)
      const [known] = few
      const away = ripe.first ?? unripe.first
      if (known === undefined || away === undefined) return known ?? away
      const left = wait(away)
      return left < 0 || (left === 0 && away.turn < known.turn) ? away : known
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
        const back = takeFew(each => unknown(each) && each.current.length > 1).flatMap(each => each.ids())
        if (batch.current.length > 1 || kept() >= MOST_SINGLE) return [...back, ...batch.ids()]
        add(batch)
        return back
      } else if (unknown(batch) && kept() >= MOST_KEPT) return batch.ids()
      else if (batch.alone >= PATIENCE) part(batch, false)
      else add(batch)
      return []
    },

    succeeded(batch) {
      for (const each of few) if (each.faults > 0) each.suspect = true
      if (batch.aside > 0) {
        ripen(Number.POSITIVE_INFINITY)
        asideFrom = 0
      }
      batch.aside = 0
      batch.suspect = false
    },

    take
  }
}
