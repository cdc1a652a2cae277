import { HttpError } from '../errors.js'
import type { Mark } from './mark.js'
import { type Level, type Opened, openLevel, probe } from './opening.js'
import { matches } from './records.js'

/** What a change writes into: a batch of LevelDB, or anything that looks like one. */
export interface WriteBatch {
  put(key: Buffer, value: string): unknown
  del(key: Buffer): unknown
}

/** What a change consists of. */
export interface Records {
  write(batch: WriteBatch): void
  /**
   * Whether a write that failed has reached the disk is not known. This makes it so that it has not, when the store is
   * open again; for a change that is not durable, that it has.
   */
  amend(batch: WriteBatch): void
  done(): void
}

/**
 * Records that are to be written together or not at all. A durable change is on disk before it is done, or has failed;
 * another is done in any case, and at the worst a crash undoes it.
 */
export type Change = Records &
  ({ readonly durable: true; failed(error: HttpError): void } | { readonly durable: false })

export interface OutboxEvent {
  /**
   * `damaged`: something stored could not be read; `unwritable`, `writable`: writes began to fail, or succeed again;
   * `no-control`: the command line cannot reach this process.
   */
  kind: 'damaged' | 'unwritable' | 'writable' | 'no-control'
  /** Without users' data. */
  message: string
  setAside?: string
}

export interface EngineOptions {
  path: string
  now: () => number
  report: (event: OutboxEvent) => void
  /** Milliseconds until a store whose write failed is opened again, first and at most; doubled in between. */
  reopenAfter: { first: number; longest: number }
}

/** So much must be free before a store is closed to be opened again: opening writes its log (4 MiB) out as tables. */
const ROOM_TO_OPEN = 8 * 1024 * 1024

/** Seconds that a browser is asked to wait while the store cannot be written. */
const RETRY_AFTER = 5

/**
 * LevelDB with one writer. All changes that arrive in a tick or while a write runs become one batch and share one sync
 * (group commit): the more arrive at once, the less each costs.
 *
 * After a write that failed LevelDB's log is in doubt, so nothing more is written until the store was closed and opened
 * again; until then it is still read. While that is tried in the background, durable changes fail and the others are
 * remembered.
 */
export class Engine {
  #options: EngineOptions
  #db: Level | undefined
  #mark: Mark | undefined
  #fault: string | undefined
  #pending: Change[] = []
  #writing = false
  #scheduled = false
  #owed: Change[] = []
  #timer: NodeJS.Timeout | undefined
  #reopening: Promise<void> | undefined
  #closed = false
  #idle: (() => void)[] = []

  constructor(options: EngineOptions) {
    this.#options = options
  }

  /** Open for reading; not while a failed store is being opened again. */
  get db(): Level | undefined {
    return this.#db
  }

  /** Why nothing can be written at the moment. */
  get fault(): string | undefined {
    return this.#fault
  }

  async open(scan: (db: Level) => Promise<void>): Promise<Omit<Opened, 'db' | 'mark'>> {
    const { db, mark, ...found } = await openLevel(this.#options.path, scan, this.#options.now())
    this.#db = db
    this.#mark = mark
    return found
  }

  /** In the order of the calls, `done` or `failed` is called for each change, later and never within the call. */
  commit(change: Change): void {
    this.#pending.push(change)
    if (this.#scheduled || this.#writing) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      void this.#write()
    })
  }

  /** Values by key; undefined where a value is missing, damaged or not readable. undefined at all while nothing is. */
  async read(keys: Buffer[]): Promise<(string | undefined)[] | undefined> {
    const db = this.#db
    if (db === undefined) return undefined
    let values: (string | undefined)[]
    try {
      values = await db.getMany(keys, { fillCache: false })
    } catch {
      // One bad block fails them all: find out which.
      values = await Promise.all(keys.map(key => db.get(key, { fillCache: false }).catch(() => undefined)))
      if (this.#db !== db) return undefined
    }
    return values.map((value, i) => (value !== undefined && matches(keys[i] as Buffer, value) ? value : undefined))
  }

  /** The bytes under a key, whatever they are; undefined where there are none to be had. */
  async readBytes(key: Buffer): Promise<Buffer | undefined> {
    return this.#db?.get<Buffer, Buffer>(key, { valueEncoding: 'buffer' }).catch(() => undefined)
  }

  /** After all that was committed is written, or has failed. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#reopening
    if (this.#scheduled || this.#writing) await new Promise<void>(resolve => this.#idle.push(resolve))
    await this.#closeStore()
  }

  async #closeStore(): Promise<void> {
    const [db, mark] = [this.#db, this.#mark]
    this.#db = undefined
    this.#mark = undefined
    await db?.close()
    await mark?.close()
  }

  async #write(): Promise<void> {
    this.#writing = true
    while (this.#pending.length > 0) {
      const group = this.#pending
      this.#pending = []
      const db = this.#db
      if (db === undefined || this.#fault !== undefined) {
        this.#refuse(group, false)
        continue
      }
      try {
        const batch = db.batch()
        let sync = false
        for (const change of group) {
          change.write(batch)
          sync ||= change.durable
        }
        if (sync) this.#mark?.put(batch)
        await batch.write({ sync })
        if (sync) this.#mark?.reached()
        for (const change of group) change.done()
      } catch (error) {
        this.#fail(error as Error)
        this.#refuse(group, true)
      }
    }
    this.#writing = false
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #refuse(group: Change[], tried: boolean): void {
    const error = new HttpError('QUEUE_FULL', { retryAfter: RETRY_AFTER, cause: this.#fault })
    for (const change of group) {
      if (tried || !change.durable) this.#owed.push(change)
      if (change.durable) change.failed(error)
      else change.done()
    }
  }

  #fail(error: Error): void {
    this.#fault = error.message
    this.#options.report({ kind: 'unwritable', message: `the queue cannot be written: ${error.message}` })
    this.#reopenIn(this.#options.reopenAfter.first)
  }

  #reopenIn(delay: number): void {
    if (this.#closed) return
    this.#timer = setTimeout(() => {
      this.#reopening = this.#reopen().catch((error: Error) => {
        this.#fault = error.message
        this.#reopenIn(Math.min(delay * 2, this.#options.reopenAfter.longest))
      })
    }, delay)
  }

  async #reopen(): Promise<void> {
    await probe(this.#options.path, ROOM_TO_OPEN)
    await this.#closeStore()
    const { db, mark, ...found } = await openLevel(this.#options.path, async () => {}, this.#options.now())
    if (found.damage !== undefined) this.#options.report({ kind: 'damaged', message: found.damage, ...found })
    try {
      while (this.#owed.length > 0) {
        const owed = this.#owed.length
        const batch = db.batch()
        for (const change of this.#owed) change.amend(batch)
        await batch.write({ sync: true })
        this.#owed.splice(0, owed)
      }
    } finally {
      this.#db = db
      this.#mark = mark
    }
    this.#fault = undefined
    this.#options.report({ kind: 'writable', message: 'the queue can be written again' })
  }
}
