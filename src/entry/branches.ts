import { jsonBytes } from './cut.js'
import type { Fields } from './schema.js'

export type Container = Fields | unknown[]

export interface Parent {
  readonly container: Container
  /** Dotted, as it may be said; empty for the entry itself. */
  readonly path: string
  /** Members still there. */
  count: number
}

/** One member of an object or a list within an entry. */
export interface Member {
  readonly parent: Parent
  readonly key: string | number
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
  /** Members of the roots that are left out, by the root's path. */
  kept: Readonly<Record<string, ReadonlySet<string>>>
  /** More members than can be sent. A level with more keeps the first of them, and nothing below it: so the work is bounded
   *  by what can be sent, not by what was. */
  most: number
  speak(name: string): string
  note(path: string): void
}

export function pathOf({ parent, key }: Pick<Member, 'parent' | 'key'>, speak: (name: string) => string): string {
  const name = typeof key === 'string' ? speak(key) : String(key)
  return parent.path === '' ? name : `${parent.path}.${name}`
}

/** The members of `roots` by depth, those directly in a root first. Takes away what `most` says. */
export function membersByDepth(roots: readonly Parent[], { kept, most, speak, note }: GatherOptions): Member[][] {
  const levels: Member[][] = []
  let parents = roots
  let seen = 0
  while (parents.length > 0) {
    const level: Member[] = []
    const below: Parent[] = []
    for (const parent of parents) {
      const { container, path } = parent
      const except = levels.length === 0 ? kept[path] : undefined
      const keys = Array.isArray(container) ? container.keys() : Object.keys(container)
      const room = Math.max(0, most - seen - level.length)
      let taken = 0
      for (const key of keys) {
        if (except?.has(String(key))) {
          parent.count++
          continue
        }
        if (taken === room) {
          note(path)
          if (Array.isArray(container)) {
            container.length = key as number
            break
          }
          delete container[key]
          continue
        }
        taken++
        parent.count++
        const value = (container as Fields)[key]
        const text = typeof value === 'string' ? value : undefined
        const member = { parent, key, text, bytes: text === undefined ? 0 : jsonBytes(text) }
        level.push(member)
        if (isContainer(value)) below.push({ container: value, path: pathOf(member, speak), count: 0 })
      }
    }
    seen += level.length
    levels.push(level)
    parents = below
  }
  return levels
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
export function prune(levels: readonly Member[][], need: number, note: (path: string) => void): number {
  let left = need
  for (let depth = levels.length - 1; depth >= 0 && left > 0; depth--) {
    const lists = new Set<unknown[]>()
    const bySize = levels[depth]!.map((member, order) => ({ member, order, size: saving(member) }))
    // Of equals the last goes first, so that lists keep their beginning.
    bySize.sort((a, b) => b.size - a.size || b.order - a.order)
    for (const { member } of bySize) {
      if (left <= 0) break
      const { parent, key } = member
      left -= saving(member)
      parent.count--
      if (Array.isArray(parent.container)) {
        parent.container[key as number] = GONE
        lists.add(parent.container)
      } else delete parent.container[key]
      note(parent.path)
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
