import {
  type GatherOptions,
  isContainer,
  levelFor,
  longStrings,
  type Member,
  membersByDepth,
  type Parent,
  type Place,
  pathOf,
  prune,
  SHORTEST_CUT
} from './branches.js'
import { cut, jsonBytes } from './cut.js'
import { standIn } from './deep.js'
import type { FitOptions, Sendable } from './fit.js'
import { BRANCHES, type Fields } from './schema.js'

/** A message is cut to no less than this before anything else is, and goes as the last. Bytes. */
const SHORTEST_MESSAGE = 64

const bytesOf = (entry: Sendable) => Buffer.byteLength(JSON.stringify(entry))

/**
 * Cuts an entry to the plan's size, depth and tags: `message` first, then the longest strings, then the deepest and largest
 * branches; last of all what is left of a branch. Never `action`, `level`, `clientTimestamp`, `environment`, `actor.id`, the
 * stamps (else whoever sends long entries would shed them) and the mark itself, `metadata._trimmed`: the bytes there were
 * before. The same entry is always cut the same way.
 */
export function createTrim({ limits, stamped, mask, speak, fault, note }: FitOptions) {
  const { maxLogBytes, maxDepth, maxTags } = limits
  const gathering: GatherOptions = {
    kept: new Map([
      ['actor', new Set(['id'])],
      ['metadata', new Set(['_trimmed'])],
      // The user agent is the one stamp that may be long.
      ['context', new Set<string>(stamped.filter(name => name !== 'user_agent'))]
    ]),
    most: maxLogBytes,
    note: sayCut
  }

  function sayCut(place: Place): void {
    note(() => pathOf(place, speak))
  }

  /** Everything of an entry that may be cut or taken away, tags aside: its branches, and allowed fields that are strings. */
  function members(entry: Sendable): Member[][] {
    const parent: Parent = { container: entry, place: undefined, count: Number.POSITIVE_INFINITY }
    const roots: Parent[] = []
    const strings: Fields = {}
    for (const name in entry) {
      const value = entry[name]
      if (name !== 'tags' && isContainer(value))
        roots.push({ container: value, place: { parent, key: name }, count: 0 })
      else if (typeof value === 'string' && !NEVER.has(name)) strings[name] = value
    }
    // There is always one root: `metadata`, which holds the mark.
    const levels = membersByDepth(roots, gathering)
    const top = Object.entries(strings).map(([key, text]) => ({
      parent,
      key,
      text: String(text),
      bytes: jsonBytes(String(text))
    }))
    levels[0] = [...top, ...levels[0]!]
    return levels
  }

  function tagMembers(entry: Sendable): Member[] {
    if (entry.tags === undefined) return []
    const above: Parent = { container: entry, place: undefined, count: 0 }
    const parent: Parent = { container: entry.tags, place: { parent: above, key: 'tags' }, count: entry.tags.length }
    return entry.tags.map((text, key) => ({ parent, key, text, bytes: jsonBytes(text) }))
  }

  /** Puts a short text in the place of what is deeper than the plan allows. */
  function flatten(parent: Parent, depth: number): void {
    const container = parent.container as Fields
    const keys = Array.isArray(container) ? container.keys() : Object.keys(container)
    for (const key of keys) {
      const value = container[key]
      if (!isContainer(value)) continue
      const place = { parent, key }
      if (depth < maxDepth) flatten({ container: value, place, count: 0 }, depth + 1)
      else {
        container[key] = standIn(value)
        sayCut(place)
      }
    }
  }

  /** @returns the bytes still to be saved */
  function cutMessage(entry: Sendable, need: number): number {
    const { message } = entry
    const bytes = message === undefined ? 0 : jsonBytes(message)
    if (bytes <= SHORTEST_MESSAGE || need <= 0) return need
    entry.message = cut(message!, Math.max(SHORTEST_MESSAGE, bytes - need), mask)
    note(() => 'message')
    return need - (bytes - jsonBytes(entry.message))
  }

  function cutStrings(strings: Member[], need: number): void {
    if (need <= 0) return
    const level = levelFor(strings, need)
    for (const member of strings) {
      if (member.bytes <= level) break
      ;(member.parent.container as Fields)[member.key] = cut(member.text!, level, mask)
      sayCut(member)
    }
  }

  /** What strings can give: bytes over what each is cut to at the least. */
  function spare(entry: Sendable, levels: readonly Member[][]): number {
    let sum = entry.message === undefined ? 0 : Math.max(0, jsonBytes(entry.message) - SHORTEST_MESSAGE)
    for (const level of levels) for (const { bytes } of level) sum += Math.max(0, bytes - SHORTEST_CUT)
    return sum
  }

  /** Whether a branch holds what must stay: all else has gone by then. */
  function stays(entry: Sendable, name: string): boolean {
    const kept = gathering.kept.get(name)
    return kept !== undefined && Object.keys(entry[name] as Fields).some(key => kept.has(key))
  }

  /** Takes away what is left, the least telling first, until the entry fits. */
  function strip(entry: Sendable): void {
    const others = Object.keys(entry).filter(name => !NEVER.has(name) && !LAST.includes(name))
    for (const name of [...others, ...LAST]) {
      if (name === 'tags') popTags(entry)
      if (entry[name] === undefined || bytesOf(entry) <= maxLogBytes) continue
      if (stays(entry, name)) continue
      note(() => speak(name))
      delete entry[name]
    }
  }

  /** Takes the last of the tags away, but for one, until the entry fits. */
  function popTags(entry: Sendable): void {
    const { tags = [] } = entry
    let over = tags.length > 1 ? bytesOf(entry) - maxLogBytes : 0
    while (over > 0 && tags.length > 1) {
      note(() => 'tags')
      // with its quotes and its comma
      over -= jsonBytes(tags.pop()!) + 3
    }
  }

  function refuse(entry: Sendable): undefined {
    const sizes: [string, number][] = [
      ['action', entry.action.length],
      ['clientTimestamp', entry.clientTimestamp.length],
      ['actor.id', JSON.stringify(entry.actor?.id ?? '').length]
    ]
    const [field] = sizes.reduce((most, next) => (next[1] > most[1] ? next : most))
    fault(field, `must be shorter: the entry has at most ${maxLogBytes} bytes, and nothing else is left to cut`)
    return undefined
  }

  return function trim(entry: Sendable, before: number, tooDeep: boolean): string | undefined {
    if (entry.tags !== undefined && entry.tags.length > maxTags) {
      entry.tags = entry.tags.slice(0, maxTags)
      note(() => 'tags')
    }
    if (tooDeep) {
      const parent: Parent = { container: entry, place: undefined, count: 0 }
      for (const key of BRANCHES) {
        const container = entry[key]
        if (container !== undefined) flatten({ container, place: { parent, key }, count: 0 }, 1)
      }
    }
    entry.metadata ??= {}
    entry.metadata._trimmed = before
    if (entry.action.length + entry.clientTimestamp.length > maxLogBytes) return refuse(entry)
    if (entry.message !== undefined) entry.message = entry.message.slice(0, maxLogBytes)
    if (bytesOf(entry) > maxLogBytes) {
      // First what must go altogether, so that what stays is cut no more than it must be.
      const all = members(entry)
      prune(all, bytesOf(entry) - maxLogBytes - spare(entry, [...all, tagMembers(entry)]), sayCut)
      const need = cutMessage(entry, bytesOf(entry) - maxLogBytes)
      cutStrings(longStrings([...members(entry), tagMembers(entry)]), need)
      strip(entry)
    }
    const json = JSON.stringify(entry)
    return Buffer.byteLength(json) <= maxLogBytes ? json : refuse(entry)
  }
}

/** What is never cut or taken away, besides `actor.id` and the stamps; and `message`, which has its own turn. */
const NEVER: ReadonlySet<string> = new Set(['action', 'level', 'clientTimestamp', 'environment', 'message', 'metadata'])
/** The order in which the last of an entry goes. */
const LAST = ['tags', 'target', 'actor', 'context', 'message']
