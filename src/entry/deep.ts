import type { Names } from './names.js'

/** What stands in the place of an object or a list that was cut off for its depth. */
export function standIn(value: object): string {
  return Array.isArray(value) ? '[list]' : '[object]'
}

/**
 * Looks through what lies too deep to be walked: with a list of its own, since whatever calls itself, JSON.stringify too, would
 * overflow the stack.
 * @returns the bytes of its JSON, and the first name found that is refused
 */
export function sound(value: object, names: Names): { bytes: number; forbidden: string | undefined } {
  const open: unknown[] = [value]
  let bytes = 0
  let forbidden: string | undefined
  while (open.length > 0) {
    const next = open.pop()
    if (typeof next !== 'object' || next === null) {
      bytes += Buffer.byteLength(JSON.stringify(next))
      continue
    }
    const before = open.length
    if (Array.isArray(next)) {
      for (const value of next) open.push(value)
    } else {
      for (const name in next) {
        if (names.facts(name).forbidden) forbidden ??= name
        bytes += Buffer.byteLength(JSON.stringify(name)) + 1
        open.push((next as Record<string, unknown>)[name])
      }
    }
    // its brackets and commas
    bytes += 2 + Math.max(0, open.length - before - 1)
  }
  return { bytes, forbidden }
}
