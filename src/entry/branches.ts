import { jsonBytes } from './cut.js'
import type { Fields } from './schema.js'

export type Container = Fields | unknown[]

export interface Parent {
  container: Container
  /** Where the container is: its own place; undefined for the entry itself. */
  readonly place: Place | undefined
  /** Members still there. */
  count: number
}

export interface Place {
  readonly parent: Parent
  readonly key: string | number
}

/** One member of an object or a list within an entry. */
export interface Member extends Place {
  /** The value where it is a string. */
  readonly text: string | undefined
  /** Bytes of that string's JSON, quotes left out; 0 for anything else. */
  readonly bytes: number
}

/** Below this many bytes a string is not cut: it goes with its branch, or stays. */
export const SHORTEST_CUT = 48

export function isContainer(value: unknown): value is Container {
  return typeof value === 'object' && value !== null
}

export interface GatherOptions {
  /** Members of the roots that are left out, by the root's name. */
  kept: ReadonlyMap<string | number, ReadonlySet<string>>
  /** The plan's bytes. No more members than this can be sent: a level with more keeps the first of them, and nothing below it;
   *  and no longer string or name. So the work is bounded by what can be sent, not by what was. */
  most: number
  note(place: Place): void
}

/** Dotted, as it may be said. */
export function pathOf({ parent, key }: Place, speak: (name: string) => string): string {
  const name = typeof key === 'string' ? speak(key) : String(key)
  return parent.place === undefined ? name : `${pathOf(parent.place, speak)}.${name}`
}

/** The members of `roots` by depth, those directly in a root first. Takes away what `most` says. */
export function membersByDepth(roots: readonly Parent[], options: GatherOptions): Member[][] {
  const levels: Member[][] = []
  let parents = roots
  let room = options.most
  while (parents.length > 0) {
    const level: Member[] = []
    for (const parent of parents) {
      const kept = levels.length === 0 ? options.kept.get(parent.place!.key) : undefined
      gather(parent, level, kept, room - level.length, options)
    }
    room -= level.length
    levels.push(level)
    parents = level.flatMap(place => {
      const value = (place.parent.container as Fields)[place.key]
      return isContainer(value) ? [{ container: value, place, count: 0 }] : []
    })
  }
  return levels
}

/** Adds the members of one container to `level`, `room` at most, and takes the others away. */
function gather(
  parent: Parent,
  level: Member[],
  kept: ReadonlySet<string> | undefined,
  room: number,
  { most, note }: GatherOptions
): void {
  const { container } = parent
  let left = room
  if (Array.isArray(container)) {
    if (container.length > left) {
      note({ parent, key: left })
      container.length = left
    }
    for (let index = 0; index < container.length; index++) level.push(member(parent, index, most))
    return
  }
  for (const key in container) {
    if (kept?.has(key)) parent.count++
    else if (left > 0 && key.length <= most) {
      left--
      level.push(member(parent, key, most))
    } else {
      note({ parent, key })
      // Deleting hundreds of thousands one by one would take longer than copying what stays.
      if (left === 0) {
        only(parent, room === 0 ? [] : level.slice(-room), kept)
        return
      }
      delete container[key]
    }
  }
}

/** Leaves a container nothing but `members` and what is kept. */
function only(parent: Parent, members: readonly Member[], kept: ReadonlySet<string> = new Set()): void {
  const container = parent.container as Fields
  const fresh: Fields = {}
  for (const { key } of members) fresh[key] = container[key]
  for (const key of kept) if (Object.hasOwn(container, key)) fresh[key] = container[key]
  parent.count = Object.keys(fresh).length
  parent.container = fresh
  const { parent: above, key } = parent.place!
  ;(above.container as Fields)[key] = fresh
}

function member(parent: Parent, key: string | number, most: number): Member {
  parent.count++
  const container = parent.container as Fields
  let value = container[key]
  if (typeof value !== 'string') return { parent, key, text: undefined, bytes: 0 }
  // It will be cut shorter still.
  if (value.length > most) container[key] = value = value.slice(0, most)
  return { parent, key, text: value as string, bytes: jsonBytes(value as string) }
}

/** Bytes saved by taking `member` away once what lies below it has gone, if its string had been cut as far as may be. */
function saving(member: Member): number {
  const { parent, key } = member
  const { container } = parent
  const comma = parent.count > 1 ? 1 : 0
  const name = typeof key === 'string' ? jsonBytes(key) + 3 : 0
  if (member.text !== undefined) return comma + name + Math.min(member.bytes, SHORTEST_CUT) + 2
  const value = (container as Fields)[key]
  return comma + name + (isContainer(value) ? 2 : JSON.stringify(value).length)
}

/**
 * Takes members away, the deepest first and of those the largest, until `need` bytes are saved or nothing is left.
 * @returns the bytes still to be saved, 0 or less when done
 */
export function prune(levels: readonly Member[][], need: number, note: (place: Place) => void): number {
  let left = need
  for (let depth = levels.length - 1; depth >= 0 && left > 0; depth--) {
    const lists = new Set<unknown[]>()
    const bySize = levels[depth]!.map((member, order) => ({ member, order, size: saving(member) }))
    // Of equals the last goes first, so that lists keep their beginning.
    bySize.sort((a, b) => b.size - a.size || b.order - a.order)
    for (const { member } of bySize) {
      if (left <= 0) break
      const { parent, key } = member
      note(member)
      left -= saving(member)
      parent.count--
      if (Array.isArray(parent.container)) {
        parent.container[key as number] = GONE
        lists.add(parent.container)
      } else delete parent.container[key]
    }
    for (const list of lists) compact(list)
  }
  return left
}

const GONE = Symbol('gone')

function compact(list: unknown[]): void {
  let kept = 0
  for (const value of list) if (value !== GONE) list[kept++] = value
  list.length = kept
}

/** The strings among `levels` that may be cut, the longest first. */
export function longStrings(levels: readonly Member[][]): Member[] {
  const long = levels.flatMap(level => level.filter(({ bytes }) => bytes > SHORTEST_CUT))
  // Array.prototype.sort is stable: of equals the shallowest is first.
  return long.sort((a, b) => b.bytes - a.bytes)
}

/**
 * The length to which the longest strings must be cut to save `need` bytes together, shorter ones left alone: the highest
 * that does, though not under SHORTEST_CUT.
 * @param longest first
 */
export function levelFor(longest: readonly Member[], need: number): number {
  let sum = 0
  for (let count = 1; count <= longest.length; count++) {
    sum += longest[count - 1]!.bytes
    const next = longest[count]?.bytes ?? 0
    // Cut to the length of the next, these would save:
    if (sum - count * Math.max(next, SHORTEST_CUT) >= need)
      return Math.max(SHORTEST_CUT, Math.floor((sum - need) / count))
  }
  return SHORTEST_CUT
}
