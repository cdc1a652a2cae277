import { type Arrival, arrival, Move } from './changes.js'
import type { Engine } from './engine.js'
import type { Level } from './opening.js'
import { type DeadLetter, type DeadLetters, type EntryId, type ListOptions, listedReason } from './outbox.js'
import {
  type DeadKey,
  type DeadRecord,
  deadFrom,
  matches,
  RECORD_OVERHEAD,
  readDeadKey,
  waitingKey
} from './records.js'

/** What the disk store counts besides its index. */
export interface Books {
  deadLetters: number
  deadBytes: number
  /** The last one given. */
  sequence: number
}

export interface DeadLettersOptions {
  engine: Engine
  books: Books
  now: () => number
  /** Entries are stored and wait from now on. */
  admit: (arrivals: Arrival[]) => void
}

/** So many are moved at once: a few hundred kilobytes in memory, and one sync. */
const SLICE = 256
const LIST = 100

type DeadRow = [key: Buffer, value: string]

/** The dead letters of the disk store. Calls take turns, so that none is retried twice. */
export function createDeadLetters({ engine, books, now, admit }: DeadLettersOptions): DeadLetters {
  let turn: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const mine = turn.then(work)
    turn = mine.catch(() => {})
    return mine
  }

  function readable(): Level {
    if (engine.db === undefined) throw new Error('the queue cannot be read at the moment')
    return engine.db
  }

  /** With keys that no version of this store wrote. */
  function read(from: number, limit: number): Promise<DeadRow[]> {
    return readable()
      .iterator({ ...deadFrom(from), limit, fillCache: false })
      .all()
  }

  async function range(from: number, limit: number): Promise<DeadRow[]> {
    return (await read(from, limit)).filter(isSound)
  }

  /** Those named, or all there are, in slices. */
  async function* slices(ids: readonly EntryId[] | 'all'): AsyncGenerator<DeadRow[]> {
    if (ids === 'all') {
      // What is retried now may die again under a higher number: that is not for this call.
      const last = books.sequence
      for (let from = 0; ; ) {
        const rows = (await range(from, SLICE)).filter(([key]) => sequenceOf(key) <= last)
        if (rows.length === 0) return
        yield rows
        from = sequenceOf((rows.at(-1) as DeadRow)[0]) + 1
      }
    }
    yield* named(ids)
  }

  /**
   * In their order: what is found first from an id on says that there is none up to there. An id that is asked for by itself
   * can cost as much as all that was deleted behind it, for LevelDB reads its way through that.
   */
  async function* named(ids: readonly EntryId[]): AsyncGenerator<DeadRow[]> {
    const wanted = [...new Set(ids.map(Number))].filter(
      id => Number.isSafeInteger(id) && id > 0 && id <= books.sequence
    )
    wanted.sort((a, b) => a - b)
    const set = new Set(wanted)
    let slice: DeadRow[] = []
    // Ids often follow one another, and bodies are large: more is read at once while all of it is wanted.
    let run = 1
    for (let i = 0; i < wanted.length; ) {
      const from = wanted[i] as number
      const rows = await read(from, Math.min(run, SLICE - slice.length))
      if (rows.length === 0) break
      const sound = rows.filter(isSound)
      const hits = sound.filter(([key]) => set.has(sequenceOf(key)))
      slice.push(...hits)
      run = hits.length === rows.length ? run * 2 : 1
      const last = sound.at(-1)
      const known = last === undefined ? from : sequenceOf(last[0])
      while (i < wanted.length && (wanted[i] as number) <= known) i++
      if (slice.length === SLICE) {
        yield slice
        slice = []
      }
    }
    if (slice.length > 0) yield slice
  }

  function move(rows: DeadRow[], arrivals: Arrival[]): Promise<void> {
    return new Promise((resolve, reject) => {
      const to = arrivals.map((entry): [Buffer, string] => [waitingKey(entry), entry.value])
      const done = () => {
        books.deadLetters -= rows.length
        for (const [key] of rows) books.deadBytes -= deadBytes(key)
        admit(arrivals)
        resolve()
      }
      engine.commit(new Move(rows, to, done, reject))
    })
  }

  return {
    list({ limit = LIST, after = 0, bodies = false }: ListOptions = {}) {
      return inTurn(async () => (await range(Number(after) + 1, limit)).map(row => told(row, bodies)))
    },

    retry(ids) {
      return inTurn(async () => {
        let moved = 0
        for await (const rows of slices(ids)) {
          const sound = rows.filter(row => recordOf(row) !== undefined)
          const arrivals = sound.map(row => {
            const { user, body } = recordOf(row) as DeadRecord
            return arrival(++books.sequence, user, body, now())
          })
          await move(sound, arrivals)
          moved += sound.length
        }
        return moved
      })
    },

    purge(ids) {
      return inTurn(async () => {
        let purged = 0
        for await (const rows of slices(ids)) {
          await move(rows, [])
          purged += rows.length
        }
        return purged
      })
    }
  }
}

/** What a dead letter takes of the bound. */
export function deadBytes(key: Buffer): number {
  return (readDeadKey(key) as DeadKey).size + RECORD_OVERHEAD
}

function isSound([key]: DeadRow): boolean {
  return readDeadKey(key) !== undefined
}

function sequenceOf(key: Buffer): number {
  return (readDeadKey(key) as DeadKey).sequence
}

/** undefined where the record is damaged; it can be listed and purged, not retried. */
function recordOf([key, value]: DeadRow): DeadRecord | undefined {
  return matches(key, value) ? (JSON.parse(value) as DeadRecord) : undefined
}

function told(row: DeadRow, bodies: boolean): DeadLetter {
  const [key, value] = row
  const place = { id: sequenceOf(key), bytes: deadBytes(key) }
  const record = recordOf(row)
  if (record === undefined) {
    const reason = { code: 'DAMAGED', message: 'The record cannot be read: its checksum does not match.' }
    return { ...place, receivedAt: 0, buriedAt: 0, reason, ...(bodies ? { body: value } : {}) }
  }
  const { user, body, receivedAt, buriedAt } = record
  const reason = listedReason(record.reason, bodies)
  return { ...place, receivedAt, buriedAt, reason, ...(bodies ? { user, body } : {}) }
}
