import { setImmediate } from 'node:timers/promises'
import { HttpError } from '../errors.js'
import { deadLetter, Forget, Move } from './changes.js'
import { type Books, deadBytes } from './dead-letters.js'
import type { Engine, OutboxEvent } from './engine.js'
import type { FairIndex } from './fair-index.js'
import { cutReason, type DeadReason, type EntryId, tooOld } from './outbox.js'
import type { PassingMap } from './passing-map.js'
import { readWaitingValue } from './records.js'

export interface BurialOptions {
  engine: Engine
  index: FairIndex
  books: Books
  claims: PassingMap<number>
  now: () => number
  keyOf: (row: number) => Buffer
  /** What could not be buried for its age waits again. */
  giveBack: (ids: readonly EntryId[]) => void
  report: (event: OutboxEvent) => void
  /** Told how many left the queue as damaged that nobody had asked to bury. */
  onDamaged: (entries: number) => void
}

interface Grave {
  /** Its sequence. */
  id: number
  row: number
  key: Buffer
  reason: DeadReason
  value: string
}

/** Rows looked through for old entries before others get a turn; entries buried by one sync. */
const SPAN = 65_536
const SLICE = 256

/** How entries of the disk store become dead letters. */
export function createBurial(options: BurialOptions) {
  const { engine, index, books, claims, now, keyOf, giveBack, report, onDamaged } = options

  /** Those that are claimed, their claims ended; `damaged` are the rows of what cannot be read. */
  async function dig(
    items: readonly { id: EntryId; reason: DeadReason }[]
  ): Promise<{ graves: Grave[]; damaged: number[] }> {
    const named: Omit<Grave, 'value'>[] = []
    for (const { id, reason } of items) {
      const row = claims.get(id as number)
      if (row === undefined) continue
      // Until it is written nobody else may settle it.
      claims.delete(id as number)
      named.push({ id: id as number, row, key: keyOf(row), reason })
    }
    if (named.length === 0) return { graves: [], damaged: [] }

    const values = await engine.read(named.map(({ key }) => key))
    if (values === undefined) {
      for (const { id, row } of named) claims.set(id, row)
      throw new HttpError('QUEUE_FULL', { cause: 'the queue cannot be read at the moment' })
    }
    const graves: Grave[] = []
    const damaged: number[] = []
    for (const [i, grave] of named.entries()) {
      const value = values[i]
      if (value === undefined) damaged.push(grave.row)
      else graves.push({ ...grave, value })
    }
    return { graves, damaged }
  }

  async function write(graves: Grave[]): Promise<void> {
    if (graves.length === 0) return
    const buriedAt = now()
    const letters = graves.map(({ row, value, reason }) =>
      deadLetter(index.sequence[row] as number, {
        ...readWaitingValue(value),
        receivedAt: index.receivedAt[row] as number,
        buriedAt,
        reason: cutReason(reason)
      })
    )
    return new Promise((resolve, reject) => {
      const done = () => {
        index.settle(graves.map(({ row }) => row))
        enter(letters)
        resolve()
      }
      const failed = (error: HttpError) => {
        for (const { id, row } of graves) claims.set(id, row)
        reject(error)
      }
      const from = graves.map(({ key, value }): [Buffer, string] => [key, value])
      engine.commit(new Move(from, letters, done, failed))
    })
  }

  function enter(letters: [Buffer, string][]): void {
    books.deadLetters += letters.length
    for (const [key] of letters) books.deadBytes += deadBytes(key)
  }

  /**
   * Claimed entries whose values are not what was written can never be sent. Bytes that are there become a dead letter;
   * those of which nothing can be read leave the queue of this run, and their records stay where they are.
   */
  async function writeDamaged(rows: number[]): Promise<void> {
    if (rows.length === 0) return
    const keys: Buffer[] = []
    const letters: [Buffer, string][] = []
    for (const row of rows) {
      const key = keyOf(row)
      const bytes = await engine.readBytes(key)
      if (bytes === undefined) continue
      keys.push(key)
      letters.push(
        deadLetter(index.sequence[row] as number, {
          ...readWaitingValue(bytes.toString()),
          receivedAt: index.receivedAt[row] as number,
          buriedAt: now(),
          reason: {
            code: 'DAMAGED',
            message: 'Its checksum does not match; the answer is its bytes in base64.',
            answer: bytes.toString('base64')
          }
        })
      )
    }
    await new Promise<void>(resolve => engine.commit(new Forget(keys, letters, resolve)))
    index.settle(rows)
    enter(letters)
    const unreadable = rows.length - letters.length
    const message = `${rows.length} entries of the queue are damaged: ${letters.length} became dead letters, ${unreadable} cannot be read at all`
    report({ kind: 'damaged', message })
  }

  /** For the books as well: each entry is counted once, here or by whoever gave it to `bury`. */
  async function buryDamaged(rows: number[]): Promise<void> {
    if (rows.length === 0) return
    await writeDamaged(rows)
    onDamaged(rows.length)
  }

  return {
    buryDamaged,

    async bury(items: readonly { id: EntryId; reason: DeadReason }[]): Promise<void> {
      const { graves, damaged } = await dig(items)
      await writeDamaged(damaged)
      await write(graves)
    },

    /** Resolves with how many were buried for their age, the damaged ones not among them. */
    async expire(maxAge: number): Promise<number> {
      const reason = tooOld(maxAge)
      let buried = 0
      for (let from = 0; from < index.rows; from += SPAN) {
        for (;;) {
          const rows = index.waitingBefore(now() - maxAge, from, SPAN, SLICE)
          if (rows.length === 0) break
          const ids = rows.map(row => index.sequence[row] as number)
          for (const [i, row] of rows.entries()) {
            index.takeOne(row)
            claims.set(ids[i] as number, row)
          }
          try {
            const { graves, damaged } = await dig(ids.map(id => ({ id, reason })))
            await buryDamaged(damaged)
            await write(graves)
            buried += graves.length
          } catch {
            giveBack(ids)
            return buried
          }
        }
        await setImmediate()
      }
      return buried
    }
  }
}
