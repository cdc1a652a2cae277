import { HttpError } from '../errors.js'
import { FairIndex } from './fair-index.js'
import type { ClaimBounds, Claimed, DeadLetters, DeadReason, EntryId, NewEntry, Outbox, OutboxStats } from './outbox.js'
import { PassingMap } from './passing-map.js'
import { queueNumber } from './users.js'

export interface MemoryOutboxOptions {
  /** Entries that may wait, claimed ones among them (POOL_MAX_PENDING). */
  maxEntries: number
  /** Milliseconds. */
  now?: () => number
}

/** An outbox whose methods answer at once, with the ids as numbers. */
export interface MemoryOutbox extends Outbox {
  append(entries: readonly NewEntry[]): number[]
  claim(max: ClaimBounds): Claimed[]
  acknowledge(ids: readonly EntryId[]): void
  release(ids: readonly EntryId[]): void
  bury(items: readonly { id: EntryId; reason: DeadReason }[]): void
  expire(maxAge: number): number
  /**
   * Entries whose browser was answered without them leave the queue, claimed ones too: the answer has settled them, and
   * what whoever claimed them says of them later changes nothing. Their user may be claimed from again, beside a request
   * that still holds them: it was told that nobody knows of them, so they have no place in its order any more. How many
   * such there can be, and so their memory, is bounded by the requests under way. Returns the ids that left.
   */
  withdraw(ids: readonly EntryId[]): number[]
}

/**
 * The store of `DELIVERY=pooled`: an array. Nothing outlives the process, which is why a browser is answered only after
 * Logtrail. For the same reason it keeps no dead letters: `bury` and `expire` forget, whoever calls them tells the browser.
 */
export function createMemoryOutbox(options: MemoryOutboxOptions): MemoryOutbox {
  const { maxEntries, now = Date.now } = options
  const index = new FairIndex()
  const rows = new PassingMap<number>()
  const waiting: (NewEntry | undefined)[] = []
  const listeners = new Set<() => void>()
  let sequence = 0
  let stopped = false

  /** Rows of those ids that are claimed. */
  function claimedRows(ids: readonly EntryId[], forget: boolean): number[] {
    const found: number[] = []
    for (const id of ids) {
      const row = rows.get(id as number)
      if (row === undefined || index.isWaiting(row)) continue
      if (forget) {
        rows.delete(id as number)
        waiting[row] = undefined
      }
      found.push(row)
    }
    return found
  }

  const deadLetters: DeadLetters = {
    list: async () => [],
    retry: async () => 0,
    purge: async () => 0
  }

  const outbox: MemoryOutbox = {
    async start() {
      return { inherited: 0 }
    },

    append(entries) {
      if (stopped) throw new HttpError('SHUTTING_DOWN')
      if (index.count + entries.length > maxEntries) throw new HttpError('QUEUE_FULL')
      const at = now()
      const ids = new Array<number>(entries.length)
      for (let i = 0; i < entries.length; i++) {
        const entry = entries[i] as NewEntry
        const id = ++sequence
        const row = index.add(queueNumber(entry.user), id, at, Buffer.byteLength(entry.body))
        rows.set(id, row)
        waiting[row] = entry
        ids[i] = id
      }
      if (ids.length > 0) for (const listener of listeners) listener()
      return ids
    },

    claim(max) {
      if (stopped || index.count === index.claimed) return []
      return index.take(max.entries, max.bytes).map(row => {
        const { user, body } = waiting[row] as NewEntry
        return { id: index.sequence[row] as number, user, body, receivedAt: index.receivedAt[row] as number }
      })
    },

    acknowledge(ids) {
      index.settle(claimedRows(ids, true))
    },

    release(ids) {
      index.giveBack(claimedRows(ids, false))
    },

    bury(items) {
      index.settle(
        claimedRows(
          items.map(item => item.id),
          true
        )
      )
    },

    expire(maxAge) {
      const old = index.waitingBefore(now() - maxAge)
      return outbox.withdraw(old.map(row => index.sequence[row] as number)).length
    },

    withdraw(ids) {
      const left: number[] = []
      for (const id of ids) {
        const row = rows.get(id as number)
        if (row === undefined) continue
        rows.delete(id as number)
        waiting[row] = undefined
        if (index.isWaiting(row)) index.withdraw(row)
        else index.settle([row])
        left.push(id as number)
      }
      return left
    },

    stats(): OutboxStats {
      const { count, claimed, bytes, oldest } = index
      const stats: OutboxStats = { waiting: count, claimed, bytes, deadLetters: 0, writable: !stopped }
      if (oldest !== undefined) stats.oldest = oldest
      return stats
    },

    deadLetters,

    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    async stop() {
      stopped = true
    }
  }
  return outbox
}
