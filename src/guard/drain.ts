/** One that is in flight, between its neighbours. */
export interface Place<Item> {
  readonly item: Item
  before: Place<Item> | undefined
  after: Place<Item> | undefined
}

export interface Drain<Item> {
  /** A request was taken. @returns its place, to be given up by `leave`, once */
  enter(item: Item): Place<Item>
  /** It was answered, or given up. */
  leave(place: Place<Item>): void
  /** What is in flight, in the order of its coming. */
  each(): Iterable<Item>
  /** Resolves once no request is in flight, or after `ms`. */
  idle(ms: number): Promise<void>
  inFlight(): number
}

/**
 * The requests that were taken and are not yet over: a list in which each knows its neighbours, and no Set. A Set (or Map)
 * that thousands of values a second pass through makes a new table every few dozen of them, and V8 lets each table point to
 * the next: once one is old, the garbage collector keeps all that come after it, with the requests they held, until its next
 * full round. That cost a quarter of all CPU.
 */
export function createDrain<Item>(): Drain<Item> {
  let inFlight = 0
  let first: Place<Item> | undefined
  let last: Place<Item> | undefined
  let waiting: (() => void)[] = []
  return {
    enter(item) {
      inFlight += 1
      const place: Place<Item> = { item, before: last, after: undefined }
      if (last === undefined) first = place
      else last.after = place
      last = place
      return place
    },
    leave(place) {
      inFlight -= 1
      const { before, after } = place
      if (before === undefined) first = after
      else before.after = after
      if (after === undefined) last = before
      else after.before = before
      // it must not keep its neighbours, see above
      place.before = undefined
      place.after = undefined
      if (inFlight > 0 || waiting.length === 0) return
      for (const resolve of waiting) resolve()
      waiting = []
    },
    *each() {
      for (let place = first; place !== undefined; ) {
        const { item, after } = place
        yield item
        place = after
      }
    },
    inFlight: () => inFlight,
    idle(ms) {
      if (inFlight === 0) return Promise.resolve()
      return new Promise(resolve => {
        const timer = setTimeout(resolve, ms)
        waiting.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
  }
}
