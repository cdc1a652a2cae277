/** A binary heap: the first of many is at hand, and one goes in, or the first out, in as many steps as their number has digits. */
export class Heap<Item> {
  #items: Item[] = []
  readonly #before: (a: Item, b: Item) => boolean

  constructor(before: (a: Item, b: Item) => boolean) {
    this.#before = before
  }

  get first(): Item | undefined {
    return this.#items[0]
  }

  add(item: Item): void {
    const items = this.#items
    let at = items.length
    while (at > 0) {
      const above = (at - 1) >> 1
      const parent = items[above] as Item
      if (!this.#before(item, parent)) break
      items[at] = parent
      at = above
    }
    items[at] = item
  }

  /** Takes the first out. */
  shift(): Item | undefined {
    const items = this.#items
    const first = items[0]
    const last = items.pop()
    if (last !== undefined && items.length > 0) this.#sink(last)
    return first
  }

  /** Takes out any; looks at each. */
  take(which: (item: Item) => boolean): Item[] {
    const found: Item[] = []
    const left: Item[] = []
    for (const item of this.#items) (which(item) ? found : left).push(item)
    if (found.length > 0) {
      this.#items = []
      for (const item of left) this.add(item)
    }
    return found
  }

  /** From the top, which is free, to where all below come later. */
  #sink(item: Item): void {
    const items = this.#items
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= items.length) break
      if (below + 1 < items.length && this.#before(items[below + 1] as Item, items[below] as Item)) below++
      if (!this.#before(items[below] as Item, item)) break
      items[at] = items[below] as Item
      at = below
    }
    items[at] = item
  }
}
