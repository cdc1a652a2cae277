import { crc32 } from 'node:zlib'
import type { HttpError } from '../errors.js'
import type { Records, WriteBatch } from './engine.js'
import { type DeadRecord, deadKey, waitingKey, waitingValue } from './records.js'
import { queueNumber } from './users.js'

/** An entry on its way into the store. */
export interface Arrival {
  sequence: number
  user: string
  body: string
  queue: number
  receivedAt: number
  value: string
  size: number
  crc: number
}

export function arrival(sequence: number, user: string, body: string, receivedAt: number): Arrival {
  const value = waitingValue(user, body)
  const size = Buffer.byteLength(value)
  return { sequence, user, body, queue: queueNumber(user), receivedAt, value, size, crc: crc32(value) }
}

type Settle<T> = (value: T) => void

/** Entries come to wait. */
export class Append implements Records {
  readonly durable = true as const
  readonly arrivals: Arrival[]
  #done: Settle<Append>
  failed: Settle<HttpError>

  constructor(arrivals: Arrival[], done: Settle<Append>, failed: Settle<HttpError>) {
    this.arrivals = arrivals
    this.#done = done
    this.failed = failed
  }

  write(batch: WriteBatch): void {
    for (const entry of this.arrivals) batch.put(waitingKey(entry), entry.value)
  }

  amend(batch: WriteBatch): void {
    for (const entry of this.arrivals) batch.del(waitingKey(entry))
  }

  done(): void {
    this.#done(this)
  }
}

/** Delivered entries are deleted; damaged ones are deleted too, and dead letters take their places. */
export class Forget implements Records {
  readonly durable = false as const
  #keys: Buffer[]
  #letters: [Buffer, string][]
  done: () => void

  constructor(keys: Buffer[], letters: [Buffer, string][] = [], done = () => {}) {
    this.#keys = keys
    this.#letters = letters
    this.done = done
  }

  write(batch: WriteBatch): void {
    for (const key of this.#keys) batch.del(key)
    for (const [key, value] of this.#letters) batch.put(key, value)
  }

  amend(batch: WriteBatch): void {
    this.write(batch)
  }
}

/**
 * Records are replaced by others: waiting entries by dead letters, dead letters by waiting entries or by nothing.
 * `from` with the values that are put back if the write fails.
 */
export class Move implements Records {
  readonly durable = true as const
  #from: [Buffer, string][]
  #to: [Buffer, string][]
  done: () => void
  failed: Settle<HttpError>

  constructor(from: [Buffer, string][], to: [Buffer, string][], done: () => void, failed: Settle<HttpError>) {
    this.#from = from
    this.#to = to
    this.done = done
    this.failed = failed
  }

  write(batch: WriteBatch): void {
    for (const [key] of this.#from) batch.del(key)
    for (const [key, value] of this.#to) batch.put(key, value)
  }

  amend(batch: WriteBatch): void {
    for (const [key] of this.#to) batch.del(key)
    for (const [key, value] of this.#from) batch.put(key, value)
  }
}

/** @returns the record of a dead letter */
export function deadLetter(sequence: number, record: DeadRecord): [Buffer, string] {
  const value = JSON.stringify(record)
  return [deadKey(sequence, value), value]
}
