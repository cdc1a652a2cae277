/**
 * A Map for objects of which thousands a second pass through: the same order, the same answers. The table of a `Map` that is
 * churned is replaced every few dozen changes, V8 lets each point to the next, and the garbage collector keeps them all once
 * the first is old, with everything they held (see also guard/drain.ts). So the Map here holds numbers alone, and the objects
 * stand in an array whose places are used again.
 */
export class PassingMap<Value extends object> {
  readonly #places = new Map<number | string, number>()
  readonly #values: (Value | undefined)[] = []
  readonly #free: number[] = []

  get size(): number {
    return this.#places.size
  }

  has(key: number | string): boolean {
    return this.#places.has(key)
  }

  get(key: number | string): Value | undefined {
    const place = this.#places.get(key)
    return place === undefined ? undefined : this.#values[place]
  }

  /** @param key one that it does not have */
  add(key: number | string, value: Value): void {
    const place = this.#free.pop() ?? this.#values.length
    this.#values[place] = value
    this.#places.set(key, place)
  }

  delete(key: number | string): void {
    const place = this.#places.get(key)
    if (place === undefined) return
    this.#places.delete(key)
    this.#values[place] = undefined
    this.#free.push(place)
  }

  /** In the order in which they were added. */
  *[Symbol.iterator](): IterableIterator<[number | string, Value]> {
    for (const [key, place] of this.#places) yield [key, this.#values[place] as Value]
  }
}
