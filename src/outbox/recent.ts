import type { NewEntry } from './outbox.js'
import { PassingMap } from './passing-map.js'

/**
 * Entries that were stored a moment ago, by their sequence: most are claimed within a second, and need not be read from the
 * disk for that. A full one takes no more: in a long queue what is claimed next came long ago.
 */
export class Recent {
  readonly #most: number
  readonly #entries = new PassingMap<{ user: string; body: string; size: number }>()
  #bytes = 0

  /** @param most bytes of entries, as they are stored */
  constructor(most: number) {
    this.#most = most
  }

  keep(sequence: number, { user, body }: NewEntry, size: number): void {
    if (this.#bytes + size > this.#most) return
    this.#bytes += size
    this.#entries.set(sequence, { user, body, size })
  }

  /** Gives it away: who returns it to the queue has it read from the disk the next time. */
  take(sequence: number): NewEntry | undefined {
    const entry = this.#entries.get(sequence)
    if (entry === undefined) return undefined
    this.#entries.delete(sequence)
    this.#bytes -= entry.size
    return entry
  }

  /** Some have left the queue unclaimed. */
  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}
