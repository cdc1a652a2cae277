import { sound, standIn } from './deep.js'
import { type Drop, element, follow } from './drop.js'
import type { Names } from './names.js'
import { REDACTED } from './scan.js'
import type { Fields } from './schema.js'

/** What happened to a field; the field is named, its value never. */
export type Deed = 'removed' | 'dropped' | 'redacted' | 'trimmed'

export interface WalkOptions {
  names: Names
  /** Masks patterns in a string; returns the very same string where there are none. */
  mask(text: string): string
  /** Deepest level that is walked at all: recursion here and in JSON.stringify is bounded by it, and no real entry comes near. */
  ceiling: number
  /** Whether what is deeper is cut off; else it is a fault. */
  cuts: boolean
  /** The plan's depth. */
  maxDepth: number
  /** @param field named only if it is to be told at all: one body can hold a million faults, each at the end of a long path */
  fault(field: () => string, message: string): void
  note(deed: Deed, field: () => string): void
}

export interface Walk {
  /** Whether the request's JSON holds `\u`, the one way a lone surrogate gets in. */
  escapes(found: boolean): void
  /** Forgets the last entry. */
  begin(): void
  /** Checks one member of an entry, drops and redacts in it, in place where it can, and returns it as it is to be sent. */
  member(name: string, value: unknown, drop?: Drop): unknown
  /** The same for one that Logtrail's schema does not name: the plan says nothing of its depth. */
  other(name: string, value: unknown, drop?: Drop): unknown
  /** Checks alone, for what will not be sent. */
  check(name: string, value: unknown): void
  /** Notes that the value of a name is masked as a whole. @returns what stands for it */
  hide(name: string): string
  /** How many fields have been redacted. */
  redacted(): number
  /** The first field deeper than the plan allows, or than is walked. */
  tooDeep(): string | undefined
  /** Bytes of JSON that were cut off for being deeper than is walked, less what stands for them. */
  beyond(): number
}

export const FORBIDDEN = 'must have another name: __proto__ and constructor are refused'

/** Twelve digits: no card's number is shorter than 13. */
const LONGEST_HARMLESS = 999_999_999_999

/** Longest path said in a fault or a note. */
const LONGEST_PATH = 200

/** One pass over an entry, for everything that needs every field. Its cost is the hot path's: no allocation where nothing is found. */
export function createWalk({ names, mask, ceiling, cuts, maxDepth, fault, note }: WalkOptions): Walk {
  let escapes = false
  let redacted = 0
  let tooDeep: string | undefined
  let beyond = 0
  /** Deepest level that is left as it is. */
  let deepest = maxDepth
  const path: (string | number)[] = []

  function where(name?: string | number): string {
    let whole = ''
    for (const part of name === undefined ? path : [...path, name]) {
      if (whole !== '') whole += '.'
      whole += typeof part === 'number' ? String(part) : names.speak(part)
      if (whole.length > LONGEST_PATH) break
    }
    return whole.length > LONGEST_PATH ? `${whole.slice(0, LONGEST_PATH)}…` : whole
  }

  function forbid(name: string): void {
    fault(() => where(name), FORBIDDEN)
  }

  /** Checks what is deeper than the ceiling. @returns its bytes, where it is not refused */
  function fathom(value: object): number {
    if (!cuts) {
      fault(where, `must not be nested deeper than ${ceiling} levels`)
      return 0
    }
    const { bytes, forbidden } = sound(value, names)
    if (forbidden !== undefined) forbid(forbidden)
    return bytes
  }

  function cutOff(value: object): string {
    const instead = standIn(value)
    beyond += fathom(value) - JSON.stringify(instead).length
    // of what is deeper than the plan allows, trimming will say so
    if (cuts && deepest === ceiling) note('trimmed', where)
    return instead
  }

  function hide(name: string | number): string {
    redacted++
    note('redacted', () => where(name))
    return REDACTED
  }

  function text(name: string | number, value: string): string {
    // as it survives UTF-8, so that sizes counted are sizes sent
    const formed = escapes ? value.toWellFormed() : value
    const masked = mask(formed)
    if (masked !== formed) hide(name)
    return masked
  }

  function number(name: string | number, value: number): unknown {
    const digits = String(value)
    return mask(digits) === digits ? value : hide(name)
  }

  function any(name: string | number, value: unknown, depth: number, drop: Drop | undefined): unknown {
    if (typeof value === 'string') return text(name, value)
    if (typeof value !== 'object' || value === null) {
      // A card's number may come without quotes.
      return typeof value === 'number' && value > LONGEST_HARMLESS ? number(name, value) : value
    }
    path.push(name)
    if (depth > deepest && tooDeep === undefined) tooDeep = where()
    const walked = depth > ceiling ? cutOff(value) : inside(value, depth, drop)
    path.pop()
    return walked
  }

  function inside(value: object, depth: number, drop: Drop | undefined): unknown {
    return Array.isArray(value) ? list(value, depth, drop) : fields(value as Fields, depth, drop)
  }

  function list(values: unknown[], depth: number, drop: Drop | undefined): unknown[] {
    let kept = 0
    for (let index = 0; index < values.length; index++) {
      const value = values[index]
      const below = drop && element(drop, index)
      if (below?.here) {
        checkIn(index, value, depth)
        note('dropped', () => where(index))
      } else values[kept++] = any(index, value, depth + 1, below)
    }
    values.length = kept
    return values
  }

  function fields(object: Fields, depth: number, drop: Drop | undefined): Fields {
    let renamed = false
    for (const name in object) {
      const facts = names.facts(name)
      const value = object[name]
      let below: Drop | undefined
      if (drop !== undefined || !facts.plain) {
        if (facts.forbidden) {
          forbid(name)
          continue
        }
        below = drop && follow(drop, facts.folded)
        if (below?.here) {
          checkIn(name, value, depth)
          if (below.stamped) continue
          note('dropped', () => where(name))
          delete object[name]
          continue
        }
        if (facts.sent !== name) renamed = true
        if (facts.redact) {
          checkIn(name, value, depth)
          if (value !== REDACTED) object[name] = hide(name)
          continue
        }
      }
      const walked = any(name, value, depth + 1, below)
      if (walked !== value) object[name] = walked
    }
    return renamed ? rename(object) : object
  }

  /** The same fields in the same order under the names that may leave. Names that become the same keep the last value. */
  function rename(object: Fields): Fields {
    const renamed: Fields = {}
    for (const name in object) {
      const { sent } = names.facts(name)
      if (sent !== name.toWellFormed()) hide(name)
      renamed[sent] = object[name]
    }
    return renamed
  }

  function checkBelow(value: unknown, depth: number): void {
    if (typeof value !== 'object' || value === null) return
    if (depth > ceiling) {
      fathom(value)
      return
    }
    if (Array.isArray(value)) {
      for (let index = 0; index < value.length; index++) checkIn(index, value[index], depth)
      return
    }
    for (const name in value) {
      if (names.facts(name).forbidden) forbid(name)
      checkIn(name, (value as Fields)[name], depth)
    }
  }

  function checkIn(name: string | number, value: unknown, depth: number): void {
    path.push(name)
    checkBelow(value, depth + 1)
    path.pop()
  }

  return {
    escapes(found) {
      escapes = found
    },
    begin() {
      redacted = 0
      tooDeep = undefined
      beyond = 0
      path.length = 0
    },
    member(name, value, drop) {
      deepest = maxDepth
      return any(name, value, 1, drop)
    },
    other(name, value, drop) {
      deepest = ceiling
      return any(name, value, 1, drop)
    },
    check: (name, value) => checkIn(name, value, 0),
    hide,
    redacted: () => redacted,
    tooDeep: () => tooDeep,
    beyond: () => beyond
  }
}
