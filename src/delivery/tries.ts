import type { Clock } from '../clock.js'
import type { Batch } from './batch.js'
import { Heap } from './heap.js'

export interface TriesOptions {
  clock: Clock
  /** All that are put aside may cost one request in so many of the plan's. */
  share: number
  /** Milliseconds in which one request is gained. */
  interval: () => number
}

/**
 * The order in which batches that rest are tried again: as they came, and those that were put aside (`batch.aside` above 0)
 * not before their own time (`batch.due`), nor more often, all of them together, than their share allows.
 */
export interface Tries {
  add(batch: Batch): void
  /** The one whose turn it is, whether it is due or not. */
  next(): Batch | undefined
  /** Milliseconds until it may be tried, or less than 0; 0 for any that is not put aside. */
  wait(batch: Batch): number
  /** Takes out the one that `next` gave, once it may be tried. */
  remove(batch: Batch): void
  /** What is put aside may be tried at once. */
  release(): void
  /** Takes out all that are such, in the order in which they came. Looks at each. */
  take(which: (batch: Batch) => boolean): Batch[]
  /** The same of those alone that are not put aside, which are few. */
  takeReady(which: (batch: Batch) => boolean): Batch[]
  /** Those that are not put aside. */
  ready(): Iterable<Batch>
}

/** What is put aside may be many thousands, after hours of faults: only `take` walks these. */
export function createTries({ clock, share, interval }: TriesOptions): Tries {
  const few = new Set<Batch>()
  /** Put aside, until its own time comes. */
  const unripe = new Heap<Batch>((a, b) => a.due < b.due || (a.due === b.due && a.turn < b.turn))
  /** Its own time has come, and it waits for `asideFrom` alone: those who came first go first. */
  const ripe = new Heap<Batch>((a, b) => a.turn < b.turn)
  let turns = 0
  /** Never goes back while something waits for it, but to 0, when all may go. */
  let asideFrom = 0

  /** Each goes over once for each time that it is put aside. */
  function ripen(until: number): void {
    for (let first = unripe.first; first !== undefined && first.due <= until; first = unripe.first) {
      unripe.shift()
      first.due = 0
      ripe.add(first)
    }
  }

  function takeReady(which: (batch: Batch) => boolean): Batch[] {
    const found = [...few].filter(which)
    for (const batch of found) few.delete(batch)
    return found
  }

  const wait = (batch: Batch) => (batch.aside === 0 ? 0 : Math.max(batch.due, asideFrom) - clock.now())

  return {
    wait,
    takeReady,
    ready: () => few,

    add(batch) {
      batch.turn = ++turns
      if (batch.aside > 0) unripe.add(batch)
      else few.add(batch)
    },

    next() {
      ripen(asideFrom)
      const [known] = few
      const away = ripe.first ?? unripe.first
      if (known === undefined || away === undefined) return known ?? away
      const left = wait(away)
      return left < 0 || (left === 0 && away.turn < known.turn) ? away : known
    },

    remove(batch) {
      if (batch.aside === 0) {
        few.delete(batch)
        return
      }
      const heap = ripe.first === batch ? ripe : unripe
      heap.shift()
      batch.due = 0
      asideFrom = clock.now() + share * interval()
    },

    release() {
      ripen(Number.POSITIVE_INFINITY)
      asideFrom = 0
    },

    take(which) {
      const found = [...takeReady(which), ...ripe.take(which), ...unripe.take(which)]
      return found.sort((a, b) => a.turn - b.turn)
    }
  }
}
