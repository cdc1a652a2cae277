import { writeSync } from 'node:fs'
import { constants, type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import type { WriteBatch } from './engine.js'
import type { Level } from './opening.js'

/** Under this key each durable batch writes its number; beside LevelDB's files, this one has that of the last that was done. */
const KEY = Buffer.from('m')
const FILE = 'acknowledged'
const DIGITS = 16

/**
 * Shows that a log has lost its end: by itself it cannot tell, for one that was cut short or emptied looks as after a crash.
 * The number is written into the file after the batch was synced and before anybody is told, and not synced itself: after a
 * SIGKILL it is exact; after a power cut it may be too low, and then shows less, but never too high.
 */
export class Mark {
  #file: FileHandle | undefined
  #last: number
  #stored: number
  /** Durable batches that were acknowledged and that the store does not have any more. */
  readonly missing: number

  private constructor(file: FileHandle | undefined, stored: number, acknowledged: number) {
    this.#file = file
    this.#stored = stored
    this.#last = Math.max(stored, acknowledged)
    this.missing = Math.max(0, acknowledged - stored)
  }

  /** With the store open, and so its lock held. */
  static async read(store: string, db: Level): Promise<Mark> {
    // Without its file the queue is as good as before, and a loss at the end of the log goes unnoticed.
    const flags = constants.O_RDWR | constants.O_CREAT
    const file = await open(join(store, FILE), flags, 0o600).catch(() => undefined)
    const bytes = Buffer.alloc(DIGITS)
    await file?.read(bytes, 0, DIGITS, 0).catch(() => {})
    const acknowledged = parse(bytes.toString()) ?? 0
    // Nothing is made of a value that cannot be read: it is another damage, and this one shows nothing about the log.
    const value = await db.get(KEY).catch(() => '')
    return new Mark(file, value === undefined ? 0 : (parse(value) ?? acknowledged), acknowledged)
  }

  /** Puts the next number into a batch. */
  put(batch: WriteBatch): void {
    batch.put(KEY, text(++this.#last))
  }

  /** The batch is on disk. */
  reached(): void {
    this.#write(this.#last)
  }

  /** What is missing is known now, and need not be told at the next start. */
  accept(): void {
    this.#write(this.#stored)
  }

  /** In this thread: 16 bytes into a page that is in memory take 2 µs, and by another thread ten times that. */
  #write(number: number): void {
    try {
      if (this.#file) writeSync(this.#file.fd, text(number), 0)
    } catch {
      // as where there is no file
    }
  }

  async close(): Promise<void> {
    await this.#file?.close()
  }
}

function text(number: number): string {
  return String(number).padStart(DIGITS, '0')
}

function parse(text: string): number | undefined {
  return /^\d{16}$/.test(text) ? Number(text) : undefined
}
