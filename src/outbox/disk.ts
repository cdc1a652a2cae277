import { HttpError } from '../errors.js'
import { createBurial } from './burial.js'
import { Append, type Arrival, arrival, Forget } from './changes.js'
import { createClaiming } from './claiming.js'
import { type Control, serveDeadLetters } from './control.js'
import { type Books, createDeadLetters, deadBytes } from './dead-letters.js'
import { Engine, type OutboxEvent } from './engine.js'
import { FairIndex } from './fair-index.js'
import type { Level } from './opening.js'
import type { Claimed, DeadReason, EntryId, NewEntry, Outbox, OutboxStats, Started } from './outbox.js'
import { PassingMap } from './passing-map.js'
import { Recent } from './recent.js'
import { ALL_DEAD, ALL_WAITING, RECORD_OVERHEAD, readDeadKey, readWaitingKey, waitingKey } from './records.js'

export interface DiskOutboxOptions {
  /** QUEUE_PATH: a folder of this store's own, made where it is missing. */
  path: string
  /** QUEUE_MAX_BYTES: of entries and dead letters together, each with its user's name and some 50 bytes. */
  maxBytes: number
  /** Milliseconds. May jump. */
  now?: () => number
  /** Told what happens to the store while it runs; what `start` found is in its result. */
  report?: (event: OutboxEvent) => void
  /** Told how many dead letters came back to wait, retried by the command line. */
  onRetried?: (entries: number) => void
  /**
   * Told how many waiting entries could not be read, and left the queue when they were claimed or had expired: dead
   * letters where anything was left of them. Not those given to `bury`: whoever gives them counts them all.
   */
  onDamaged?: (entries: number) => void
  /** Whether `dead-letters` on the command line may reach this process (default: yes). */
  control?: boolean
  reopenAfter?: { first: number; longest: number }
}

export interface DiskOutbox extends Outbox {
  append(entries: readonly NewEntry[]): Promise<number[]>
  claim(max: { entries: number; bytes: number }): Claimed[] | Promise<Claimed[]>
  acknowledge(ids: readonly EntryId[]): void
  release(ids: readonly EntryId[]): void
  bury(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void>
  expire(maxAge: number): Promise<number>
}

/** Seconds that a browser is asked to wait when the queue is full: it empties by whole batches. */
const RETRY_AFTER = 10

/** Bytes of entries kept in memory until they are claimed: see recent.ts. */
const RECENT = 8 * 1024 * 1024

/** Keys read by one call at the start: a few milliseconds. */
const KEYS = 10_000

/** The store of `DELIVERY=queued` on one machine: LevelDB holds the entries, `FairIndex` knows whose turn it is. */
export function createDiskOutbox(options: DiskOutboxOptions): DiskOutbox {
  const { path, maxBytes, now: clock = Date.now, report = () => {} } = options
  const now = () => Math.max(0, Math.floor(clock()))
  const engine = new Engine({ path, now, report, reopenAfter: options.reopenAfter ?? { first: 1000, longest: 30_000 } })
  const listeners = new Set<() => void>()
  const claims = new PassingMap<number>()
  const index = new FairIndex()
  const recent = new Recent(RECENT)
  const books: Books = { deadLetters: 0, deadBytes: 0, sequence: 0 }
  let arriving = 0
  let started: Promise<Started> | undefined
  let stopped: Promise<void> | undefined
  let control: Control | undefined

  async function scan(db: Level): Promise<void> {
    index.clear()
    Object.assign(books, { deadLetters: 0, deadBytes: 0, sequence: 0 })
    await eachKey(db, ALL_DEAD, key => {
      const dead = readDeadKey(key)
      if (dead === undefined) return
      books.deadLetters++
      books.deadBytes += deadBytes(key)
      books.sequence = dead.sequence
    })
    await eachKey(db, ALL_WAITING, key => {
      const entry = readWaitingKey(key)
      if (entry === undefined) return
      index.add(entry.queue, entry.sequence, entry.receivedAt, entry.size, entry.crc)
      books.sequence = Math.max(books.sequence, entry.sequence)
    })
  }

  function bytes(): number {
    return index.bytes + index.count * RECORD_OVERHEAD + books.deadBytes
  }

  function keyOf(row: number): Buffer {
    return waitingKey({
      sequence: index.sequence[row] as number,
      queue: index.queueOf(row),
      receivedAt: index.receivedAt[row] as number,
      size: index.size[row] as number,
      crc: index.mark[row] as number
    })
  }

  function admit(arrivals: Arrival[]): void {
    for (const entry of arrivals) {
      index.add(entry.queue, entry.sequence, entry.receivedAt, entry.size, entry.crc)
      recent.keep(entry.sequence, entry, entry.size)
    }
    if (arrivals.length > 0) tell()
  }

  function tell(): void {
    for (const listener of listeners) listener()
  }

  /** Ends the claims of those ids that have one. */
  function unclaim(ids: readonly EntryId[]): number[] {
    const rows: number[] = []
    for (const id of ids) {
      const row = claims.get(id as number)
      if (row === undefined) continue
      claims.delete(id as number)
      rows.push(row)
    }
    return rows
  }

  function release(ids: readonly EntryId[]): void {
    index.giveBack(unclaim(ids))
  }

  const deadLetters = createDeadLetters({
    engine,
    books,
    now,
    admit(arrivals) {
      options.onRetried?.(arrivals.length)
      admit(arrivals)
    }
  })
  const burial = createBurial({
    engine,
    index,
    books,
    claims,
    now,
    keyOf,
    giveBack(ids) {
      release(ids)
      tell()
    },
    report,
    onDamaged: options.onDamaged ?? (() => {})
  })
  const claim = createClaiming({ engine, index, recent, claims, keyOf, release, buryDamaged: burial.buryDamaged })

  async function open(): Promise<Started> {
    const found = await engine.open(scan)
    const inherited = { inherited: index.count, ...found }
    try {
      if (options.control ?? true) control = await serveDeadLetters(path, deadLetters)
    } catch (error) {
      const message = `dead letters cannot be looked after while this runs: ${(error as Error).message}`
      report({ kind: 'no-control', message })
    }
    return inherited
  }

  return {
    start() {
      started ??= open().catch(error => {
        started = undefined
        throw error
      })
      return started
    },

    append(entries) {
      if (stopped) return Promise.reject(new HttpError('SHUTTING_DOWN'))
      const at = now()
      const arrivals: Arrival[] = []
      let size = 0
      for (const { user, body } of entries) {
        // A number that is taken and not used does no harm.
        const entry = arrival(++books.sequence, user, body, at)
        arrivals.push(entry)
        size += entry.size + RECORD_OVERHEAD
      }
      if (bytes() + arriving + size > maxBytes) {
        return Promise.reject(new HttpError('QUEUE_FULL', { retryAfter: RETRY_AFTER }))
      }
      return new Promise((resolve, reject) => {
        arriving += size
        const done = () => {
          arriving -= size
          admit(arrivals)
          resolve(arrivals.map(({ sequence }) => sequence))
        }
        const failed = (error: HttpError) => {
          arriving -= size
          reject(error)
        }
        engine.commit(new Append(arrivals, done, failed))
      })
    },

    claim: max => (stopped ? [] : claim(max)),

    acknowledge(ids) {
      const rows = unclaim(ids)
      if (rows.length === 0) return
      engine.commit(new Forget(rows.map(keyOf)))
      index.settle(rows)
    },

    release,

    bury: burial.bury,

    async expire(maxAge) {
      const buried = await burial.expire(maxAge)
      if (buried > 0) recent.clear()
      return buried
    },

    stats(): OutboxStats {
      const stats: OutboxStats = {
        waiting: index.count,
        claimed: index.claimed,
        bytes: bytes(),
        deadLetters: books.deadLetters,
        writable: engine.db !== undefined && engine.fault === undefined && stopped === undefined
      }
      if (index.oldest !== undefined) stats.oldest = index.oldest
      if (engine.fault !== undefined) stats.fault = engine.fault
      return stats
    },

    deadLetters,

    onAppend(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },

    stop() {
      stopped ??= (async () => {
        await started?.catch(() => {})
        await control?.close()
        await engine.close()
      })()
      return stopped
    }
  }
}

async function eachKey(db: Level, range: typeof ALL_WAITING, visit: (key: Buffer) => void): Promise<void> {
  const keys = db.keys({ ...range, fillCache: false, highWaterMarkBytes: 1024 * 1024 })
  try {
    for (let some = await keys.nextv(KEYS); some.length > 0; some = await keys.nextv(KEYS)) some.forEach(visit)
  } finally {
    await keys.close()
  }
}
