import type { IncomingMessage } from 'node:http'
import { HttpError } from '../errors.js'

/** Bytes that a body has room for from its second piece on; doubled as they are used up. */
const FIRST = 1024
const NONE = Buffer.alloc(0)

/**
 * A request's body, read whole. Each piece is put where it belongs and let go, since Node.js makes a Buffer with memory of
 * its own for each: a body that came byte by byte took 400 bytes for each of them while the pieces were kept.
 */
export class Body {
  readonly #limit: number
  readonly #take: (bytes: number) => void
  #bytes: Buffer = NONE
  #length = 0
  #ended = false
  #fault: Error | undefined
  #done: ((fault: Error | null, body?: Buffer) => void) | undefined

  /**
   * Begins to read.
   * @param limit bytes: a longer one is refused as soon as that is known, and the rest thrown away
   * @param take told how many bytes have arrived; throws where there is no place for them
   */
  constructor(stream: IncomingMessage, limit: number, take: (bytes: number) => void) {
    this.#limit = limit
    this.#take = take
    const told = stream.headers['content-length']
    if (told !== undefined && Number(told) > limit) {
      this.#fault = new HttpError('BODY_TOO_LARGE')
      return
    }
    stream.on('data', (piece: Buffer) => this.#add(piece))
    stream.on('end', () => {
      this.#ended = true
      this.#tell()
    })
    stream.on('error', cause => this.#fail(new HttpError('BAD_REQUEST', { cause })))
  }

  /** Tells once it is there, or why not: HttpError `BODY_TOO_LARGE`, `BAD_REQUEST` (it broke off), or what `take` threw. */
  whole(done: (fault: Error | null, body?: Buffer) => void): void {
    this.#done = done
    this.#tell()
  }

  /** The request is over: what still comes is thrown away. */
  stop(): void {
    this.#fault ??= new HttpError('BAD_REQUEST')
    this.#bytes = NONE
  }

  #add(piece: Buffer): void {
    if (this.#fault !== undefined) return
    const length = this.#length + piece.length
    try {
      if (length > this.#limit) throw new HttpError('BODY_TOO_LARGE')
      this.#take(piece.length)
    } catch (error) {
      this.#fail(error as Error)
      return
    }
    // most come in one piece, which is the body
    if (this.#length === 0) this.#bytes = piece
    else this.#append(piece, length)
    this.#length = length
  }

  #append(piece: Buffer, length: number): void {
    if (length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.min(Math.max(FIRST, 2 * length), this.#limit))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    piece.copy(this.#bytes, this.#length)
  }

  #fail(fault: Error): void {
    this.#fault ??= fault
    this.#bytes = NONE
    this.#tell()
  }

  #tell(): void {
    const done = this.#done
    if (done === undefined || !(this.#ended || this.#fault)) return
    this.#done = undefined
    if (this.#fault) done(this.#fault)
    else done(null, this.#bytes.subarray(0, this.#length))
  }
}
