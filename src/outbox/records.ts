import { crc32 } from 'node:zlib'
import type { DeadReason } from './outbox.js'

/**
 * What the disk store writes: one LevelDB record an entry. The key of a waiting entry says all that the index needs, so
 * that a start reads keys alone; numbers are big-endian, so that keys sort by arrival.
 *
 *   waiting  'w' sequence:6 queue:8 receivedAt:6 size:4 crc:4    <length of user>:<user><body>
 *   dead     'd' sequence:6 size:4 crc:4                         JSON of DeadRecord
 *   mark     'm'                                                 the number of the last durable batch: see mark.ts
 *
 * The checksum is CRC-32 of the value: LevelDB checks its log as it reads it, but not its tables.
 */
const WAITING = 0x77
const DEAD = 0x64
const WAITING_LENGTH = 29
const DEAD_LENGTH = 15

/** Bytes that a record costs besides its value: the key, and its part of LevelDB's indexes. */
export const RECORD_OVERHEAD = 50

export const ALL_WAITING = { gte: Buffer.from('w'), lt: Buffer.from('x') }
export const ALL_DEAD = { gte: Buffer.from('d'), lt: Buffer.from('e') }

export interface WaitingKey {
  sequence: number
  queue: number
  receivedAt: number
  /** Bytes of the value. */
  size: number
  crc: number
}

export interface DeadKey {
  sequence: number
  size: number
}

export interface DeadRecord {
  user: string
  receivedAt: number
  buriedAt: number
  reason: DeadReason
  body: string
}

export function waitingKey({ sequence, queue, receivedAt, size, crc }: WaitingKey): Buffer {
  const key = Buffer.allocUnsafe(WAITING_LENGTH)
  key[0] = WAITING
  key.writeUIntBE(sequence, 1, 6)
  key.writeUInt32BE(Math.floor(queue / 4294967296), 7)
  key.writeUInt32BE(queue >>> 0, 11)
  key.writeUIntBE(receivedAt, 15, 6)
  key.writeUInt32BE(size, 21)
  key.writeUInt32BE(crc, 25)
  return key
}

/** undefined for a key that no version of this store wrote. */
export function readWaitingKey(key: Buffer): WaitingKey | undefined {
  if (key.length !== WAITING_LENGTH) return undefined
  return {
    sequence: key.readUIntBE(1, 6),
    queue: key.readUInt32BE(7) * 4294967296 + key.readUInt32BE(11),
    receivedAt: key.readUIntBE(15, 6),
    size: key.readUInt32BE(21),
    crc: key.readUInt32BE(25)
  }
}

export function deadKey(sequence: number, value: string): Buffer {
  const key = Buffer.allocUnsafe(DEAD_LENGTH)
  key[0] = DEAD
  key.writeUIntBE(sequence, 1, 6)
  key.writeUInt32BE(Buffer.byteLength(value), 7)
  key.writeUInt32BE(crc32(value), 11)
  return key
}

export function readDeadKey(key: Buffer): DeadKey | undefined {
  if (key.length !== DEAD_LENGTH) return undefined
  return { sequence: key.readUIntBE(1, 6), size: key.readUInt32BE(7) }
}

/** The range of dead letters from a sequence on. */
export function deadFrom(sequence: number): { gte: Buffer; lt: Buffer } {
  const gte = Buffer.alloc(7)
  gte[0] = DEAD
  gte.writeUIntBE(sequence, 1, 6)
  return { gte, lt: ALL_DEAD.lt }
}

/** Whether a value is the one that was written under the key. */
export function matches(key: Buffer, value: string): boolean {
  return crc32(value) === key.readUInt32BE(key.length - 4)
}

/** In front of the user stands its length, for nothing is known of what is in it. */
export function waitingValue(user: string, body: string): string {
  return `${user.length}:${user}${body}`
}

export function readWaitingValue(value: string): { user: string; body: string } {
  const colon = value.indexOf(':')
  const end = colon + 1 + Number(value.slice(0, colon))
  return { user: value.slice(colon + 1, end), body: value.slice(end) }
}
