import type { EntryId } from '../outbox/outbox.js'
import { backoff } from './backoff.js'
import type { Batch } from './batch.js'
import type { Clock } from './clock.js'
import type { Health } from './health.js'

/** At most so many are kept for a fault; further ones go back to the outbox. */
const MOST_KEPT = 16
/** Faults in a row before a suspect is halved: an upstream that fails at random would dissect everything. */
const SUSPICION = 2
/** The same where nothing new comes that it could be compared with. */
const PATIENCE = 4
const ASIDE_BASE = 30_000
const ASIDE_MOST = 600_000

/** Batches between two requests: those that were split, and those that met a fault. All are still claimed. */
export interface Resting {
  /** To go on as soon as may be. */
  add(batch: Batch): void
  /** The one that is due first, whether it is due or not. */
  next(): Batch | undefined
  remove(batch: Batch): void
  /**
   * A batch met a fault of the upstream.
   * @param health of which `failures` and `wait` are asked
   * @param others whether anything else could be tried next
   * @returns false where it should go back to the outbox
   */
  failed(batch: Batch, health: Pick<Health, 'failures' | 'wait'>, others: boolean): boolean
  /** Logtrail dealt with some batch. */
  succeeded(): void
  /** Takes batches out. @returns ids of all their entries */
  take(which: (batch: Batch) => boolean): EntryId[]
}

/**
 * An upstream that fails may be down; or it stumbles over one entry, again and again, and only the batch that holds it
 * fails. The two are told apart by trying another batch next. Where that one passes, the first is a suspect: it is tried
 * again, and parted where it fails again, until one entry stands alone. That one is put aside and tried ever more rarely;
 * only its own user's entries wait behind it, and the others of its batch go.
 */
export function createResting(clock: Clock, random: () => number): Resting {
  const batches = new Set<Batch>()
  let succeededAt = Number.NEGATIVE_INFINITY

  function add(batch: Batch): void {
    batches.add(batch)
  }

  function putAside(batch: Batch): void {
    batch.suspect = true
    batch.asideAt = clock.now()
    batch.due = batch.asideAt + backoff(batch.aside++, ASIDE_BASE, ASIDE_MOST, random)
    add(batch)
  }

  return {
    add,
    remove: batch => void batches.delete(batch),

    next() {
      let next: Batch | undefined
      for (const batch of batches) if (next === undefined || batch.due < next.due) next = batch
      return next
    },

    failed(batch, health, others) {
      const now = clock.now()
      // Where others fail too, it is the upstream.
      if (health.failures() > 1) batch.suspect = false
      const patience = batch.suspect ? SUSPICION : others ? Number.POSITIVE_INFINITY : PATIENCE
      if (batch.faults < patience) {
        if (batch.whole && batches.size >= MOST_KEPT) return false
        // The next turn is another's, where there is another.
        batch.due = others || batches.size > 0 ? now + 2 * health.wait() : now
        add(batch)
      } else if (batch.current.length > 1) {
        for (const part of batch.parts()) {
          part.faults = 1
          part.due = now
          add(part)
        }
      } else {
        const alone = batch.detach()
        alone.faults = 1
        alone.aside = batch.aside
        if (batch.suspect) putAside(alone)
        else add(alone)
        if (!batch.done) add(batch)
      }
      return true
    },

    succeeded() {
      for (const batch of batches) {
        if (batch.faults > 0) batch.suspect = true
        // What was put aside while nothing went at all was probably not to blame.
        if (batch.aside === 0 || batch.asideAt > succeededAt) batch.due = 0
      }
      succeededAt = clock.now()
    },

    take(which) {
      const found = [...batches].filter(which)
      for (const batch of found) batches.delete(batch)
      return found.flatMap(batch => batch.ids())
    }
  }
}
