const NONE = -1

/**
 * A number for a user's queue: 53 bits of a string hash (cyrb53, public domain). It is written into the keys of the disk
 * store: to change it is to change the format. Two users who share a number share a queue, which costs them fairness
 * between each other and nothing else, so it need not withstand an attacker.
 */
export function queueNumber(user: string): number {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let i = 0; i < user.length; i++) {
    const c = user.charCodeAt(i)
    a = Math.imul(a ^ c, 2654435761)
    b = Math.imul(b ^ c, 1597334677)
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}

/**
 * The users who have entries, a row each, found by queue number. Columns of typed arrays with an open-addressed table over
 * them (linear probing, at most half full): 33 bytes a user where a Map of objects takes some 200, for there may be as
 * many users as entries.
 */
export class Users {
  /** First and last waiting entry, as rows of the index; -1 for none. */
  head: Int32Array<ArrayBufferLike>
  tail: Int32Array<ArrayBufferLike>
  /** Entries claimed at the moment. */
  outstanding: Int32Array<ArrayBufferLike>

  /** Whether the user stands in the ring of those whose turn comes, and who is next there (or next of the free rows). */
  #ringed: Uint8Array<ArrayBufferLike>
  #next: Int32Array<ArrayBufferLike>
  #first = NONE
  #last = NONE
  #number: Float64Array<ArrayBufferLike>
  /** Row + 1 at the place that the number hashes to, or the next free one; 0 is empty. */
  #table: Int32Array
  #free = NONE
  #used = 0

  constructor(capacity = 64) {
    this.head = new Int32Array(capacity)
    this.tail = new Int32Array(capacity)
    this.outstanding = new Int32Array(capacity)
    this.#ringed = new Uint8Array(capacity)
    this.#next = new Int32Array(capacity)
    this.#number = new Float64Array(capacity)
    this.#table = new Int32Array(capacity * 2)
  }

  /** The row of a queue number, made where there is none. */
  row(number: number): number {
    const mask = this.#table.length - 1
    let place = number & mask
    for (let at = this.#table[place] as number; at !== 0; at = this.#table[place] as number) {
      if (this.#number[at - 1] === number) return at - 1
      place = (place + 1) & mask
    }
    return this.#insert(number)
  }

  numberOf(row: number): number {
    return this.#number[row] as number
  }

  /** Whose turn it is; -1 for nobody. May be one who has nothing any more, or is being claimed from. */
  get first(): number {
    return this.#first
  }

  /** Takes the first out of the ring. */
  dropFirst(): void {
    const row = this.#first
    this.#ringed[row] = 0
    this.#first = this.#next[row] as number
    if (this.#first === NONE) this.#last = NONE
  }

  /**
   * After something changed for a user: puts one who may be claimed from at the end of the ring, and forgets one who has
   * nothing. One who has nothing and stands in the ring is met there and forgotten then.
   */
  tend(row: number): void {
    if (this.#ringed[row] === 1 || (this.outstanding[row] as number) > 0) return
    if (this.head[row] === NONE) {
      this.#remove(row)
      return
    }
    this.#ringed[row] = 1
    this.#next[row] = NONE
    if (this.#last === NONE) this.#first = row
    else this.#next[this.#last] = row
    this.#last = row
  }

  #remove(row: number): void {
    const table = this.#table
    const mask = table.length - 1
    let hole = (this.#number[row] as number) & mask
    while (table[hole] !== row + 1) hole = (hole + 1) & mask
    // Whoever stands behind the hole and would be looked for before it moves up, so that no tombstones are needed.
    for (let i = (hole + 1) & mask; table[i] !== 0; i = (i + 1) & mask) {
      const home = (this.#number[(table[i] as number) - 1] as number) & mask
      if (((i - home) & mask) >= ((i - hole) & mask)) {
        table[hole] = table[i] as number
        hole = i
      }
    }
    table[hole] = 0
    this.#next[row] = this.#free
    this.#free = row
  }

  #insert(number: number): number {
    if (this.#free === NONE && this.#used === this.head.length) this.#grow()
    let row = this.#free
    if (row === NONE) row = this.#used++
    else this.#free = this.#next[row] as number
    this.#number[row] = number
    this.head[row] = NONE
    this.tail[row] = NONE
    this.outstanding[row] = 0
    this.#ringed[row] = 0
    this.#place(row)
    return row
  }

  #place(row: number): void {
    const mask = this.#table.length - 1
    let place = (this.#number[row] as number) & mask
    while (this.#table[place] !== 0) place = (place + 1) & mask
    this.#table[place] = row + 1
  }

  #grow(): void {
    const capacity = this.head.length * 2
    this.head = widen(this.head, capacity)
    this.tail = widen(this.tail, capacity)
    this.outstanding = widen(this.outstanding, capacity)
    this.#ringed = widen(this.#ringed, capacity)
    this.#next = widen(this.#next, capacity)
    this.#number = widen(this.#number, capacity)
    this.#table = new Int32Array(capacity * 2)
    // No row is free when it grows: all of them are in the table.
    for (let row = 0; row < this.#used; row++) this.#place(row)
  }
}

type Column = Int32Array | Uint32Array | Float64Array | Uint8Array

/** A longer copy. New pages are not touched before they are written, so they cost nothing yet. */
export function widen<C extends Column>(column: C, capacity: number): C {
  const Type = column.constructor as new (length: number) => C
  const wider = new Type(capacity)
  wider.set(column)
  return wider
}
