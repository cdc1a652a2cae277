const SMALL = 64
/** An empty map with more places gives them back: after a burst. */
const LARGE = 4096
/** 2 ** 32 over the golden ratio (Knuth, The Art of Computer Programming, 6.4). */
const SCATTER = 0x9e3779b1

/**
 * A Map by whole numbers, for values of which thousands a second pass through. The table of a `Map` that is churned is
 * replaced every few dozen changes, V8 lets each point to the next, and the garbage collector keeps them all once the first
 * is old, with everything they held (see also guard/drain.ts). Here the table is written over: open addressing, linear
 * probing, at most half full, and no tombstones. Numbers that were given out one after the other are scattered evenly: were
 * they neighbours, whoever leaves first would have to look through all the others.
 */
export class PassingMap<Value> {
  #keys = new Float64Array(SMALL)
  /** Where there is none, the place is free. */
  #values: (Value | undefined)[] = new Array(SMALL).fill(undefined)
  /** Of the 32 bits of a scattered number those that do not count, at a table of this length. */
  #shift = 32 - Math.log2(SMALL)
  #size = 0

  get size(): number {
    return this.#size
  }

  has(key: number): boolean {
    return this.#values[this.#place(key)] !== undefined
  }

  get(key: number): Value | undefined {
    return this.#values[this.#place(key)]
  }

  /** @param key up to 2^53 @param value anything but undefined */
  set(key: number, value: Value): void {
    let place = this.#place(key)
    if (this.#values[place] === undefined) {
      if (++this.#size * 2 > this.#values.length) {
        this.#resize(this.#values.length * 2)
        place = this.#place(key)
      }
      this.#keys[place] = key
    }
    this.#values[place] = value
  }

  delete(key: number): void {
    const keys = this.#keys
    const values = this.#values
    const mask = values.length - 1
    let hole = this.#place(key)
    if (values[hole] === undefined) return
    if (--this.#size === 0 && values.length > LARGE) {
      this.clear()
      return
    }
    // whoever stands behind the hole and would be looked for before it moves up
    for (let at = (hole + 1) & mask; values[at] !== undefined; at = (at + 1) & mask) {
      const home = this.#home(keys[at] as number)
      if (((at - home) & mask) < ((at - hole) & mask)) continue
      keys[hole] = keys[at] as number
      values[hole] = values[at]
      hole = at
    }
    values[hole] = undefined
  }

  clear(): void {
    this.#size = 0
    this.#resize(SMALL)
  }

  /** In no order. The map must not change meanwhile. */
  *[Symbol.iterator](): IterableIterator<[number, Value]> {
    for (let place = 0; place < this.#values.length; place++) {
      const value = this.#values[place]
      if (value !== undefined) yield [this.#keys[place] as number, value]
    }
  }

  #home(key: number): number {
    return Math.imul(key, SCATTER) >>> this.#shift
  }

  /** Where the key stands, or the free place where it would. */
  #place(key: number): number {
    const values = this.#values
    const mask = values.length - 1
    let place = this.#home(key)
    while (values[place] !== undefined && this.#keys[place] !== key) place = (place + 1) & mask
    return place
  }

  /** Keeps what there is, unless it was said to be empty. */
  #resize(capacity: number): void {
    const keys = this.#keys
    const values = this.#values
    this.#keys = new Float64Array(capacity)
    this.#values = new Array(capacity).fill(undefined)
    this.#shift = 32 - Math.log2(capacity)
    if (this.#size === 0) return
    for (let at = 0; at < values.length; at++) {
      if (values[at] === undefined) continue
      const place = this.#place(keys[at] as number)
      this.#keys[place] = keys[at] as number
      this.#values[place] = values[at]
    }
  }
}
