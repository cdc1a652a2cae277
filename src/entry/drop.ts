import { foldName } from './names.js'

/** What `DROP_FIELDS` says at one place: whether the field here goes, and what is said of the names below it. */
export interface Drop {
  readonly here: boolean
  /** A stamp will be written over the field, so that it goes whatever is said. It is left to whoever writes the stamp. */
  readonly stamped: boolean
  readonly below: ReadonlyMap<string, Drop>
  /** Whether a number is among the names below. */
  readonly indexed: boolean
}

interface Growing extends Drop {
  here: boolean
  stamped: boolean
  readonly below: Map<string, Growing>
  indexed: boolean
}

const grow = (): Growing => ({ here: false, stamped: false, below: new Map(), indexed: false })

const INDEX = /^\d+$/

/**
 * @param paths dotted; arrays on the way count for nothing, so `metadata.items.price` is the price of every item, but for a
 *   number, which is also the place of one of them: `metadata.items.0.price`
 * @param stamped the paths of what is stamped
 */
export function createDrops(paths: readonly string[], stamped: readonly string[]): Drop {
  const root = grow()
  for (const path of [...paths, ...stamped]) {
    let node = root
    for (const part of path.split('.')) {
      const folded = foldName(part)
      const next = node.below.get(folded) ?? grow()
      node.below.set(folded, next)
      node.indexed ||= INDEX.test(folded)
      node = next
    }
    node.here = true
    node.stamped = stamped.includes(path)
  }
  return root
}

/**
 * The place that `folded`, a folded name, leads to. A name with dots is followed part by part, since some stores read
 * `{"user.email": …}` as `{"user": {"email": …}}`.
 */
export function follow(drop: Drop, folded: string): Drop | undefined {
  if (!folded.includes('.')) return drop.below.get(folded)
  let place: Drop | undefined = drop
  for (const part of folded.split('.')) {
    place = place.below.get(part)
    if (place === undefined || place.here) return place
  }
  return place
}

/** What is said of one element of a list: what is said of all of them, and what is said of its place. */
export function element(list: Drop, index: number): Drop {
  const own = list.indexed ? list.below.get(String(index)) : undefined
  return own === undefined ? list : both(list, own)
}

function both(one: Drop, other: Drop): Drop {
  const below = new Map(one.below)
  for (const [name, drop] of other.below) {
    const before = below.get(name)
    below.set(name, before === undefined ? drop : both(before, drop))
  }
  return {
    here: one.here || other.here,
    stamped: false, // no list is stamped, and nothing in one
    below,
    indexed: one.indexed || other.indexed
  }
}
