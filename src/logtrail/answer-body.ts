/** What is kept of an answer. */
const MAX_KEPT_BYTES = 1024 * 1024
/** And what is read of it, so that its connection can be used again: one that lists the entries of a full batch may be long. */
const MAX_READ_BYTES = 16 * 1024 * 1024

const NOTHING = Buffer.alloc(0)
/** RFC 8259, section 8.1: no JSON should begin with it, and a parser may leave it out. */
const BYTE_ORDER_MARK = Buffer.from('\uFEFF')

/** The bytes of an answer as they come in. Most are one piece of a few. */
export class AnswerBody {
  #first: Buffer = NOTHING
  #more: Buffer[] | undefined
  #kept = 0
  #came = 0

  /** @returns false where more came than anyone waits for the end of */
  add(chunk: Buffer): boolean {
    this.#came += chunk.length
    const room = MAX_KEPT_BYTES - this.#kept
    if (room > 0) {
      const kept = chunk.length > room ? chunk.subarray(0, room) : chunk
      if (this.#kept === 0) this.#first = kept
      else {
        this.#more ??= [this.#first]
        this.#more.push(kept)
      }
      this.#kept += kept.length
    }
    return this.#came <= MAX_READ_BYTES
  }

  get begun(): boolean {
    return this.#came > 0
  }

  /** More came than is kept. */
  get cut(): boolean {
    return this.#came > this.#kept
  }

  /** What is kept, without a byte order mark. */
  bytes(): Buffer {
    const all = this.#more === undefined ? this.#first : Buffer.concat(this.#more)
    return all.subarray(0, 3).equals(BYTE_ORDER_MARK) ? all.subarray(3) : all
  }
}
