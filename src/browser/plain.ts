/** Longest string kept inside an entry, in UTF-16 units; most values one entry may hold; deepest nesting. */
const MAX_STRING = 4000
const MAX_VALUES = 1000
const MAX_DEPTH = 9

// biome-ignore lint/suspicious/noExplicitAny: whatever the page hands over
type Anything = any

/**
 * A copy of what the page handed over that JSON can hold, taken at once, since the page may change the original before
 * the entry leaves. Circles, getters that throw, BigInts and the whole React tree behind a DOM node cost no more than
 * `MAX_VALUES` steps and never an exception.
 */
export function plain(value: unknown): unknown {
  let left = MAX_VALUES
  const copy = (holder: Anything, key: string | number, depth: number): unknown => {
    try {
      let value = holder[key]
      if (value?.toJSON) value = value.toJSON()
      // A string, a symbol or a bigint.
      if (/s|bi/.test(typeof value)) return String(value).slice(0, MAX_STRING)
      if (!value || typeof value !== 'object') return value
      if (depth > MAX_DEPTH) return '[...]'
      const result: Anything = Array.isArray(value) ? [] : {}
      const keys = Object.keys(value)
      // None of the three is enumerable.
      if (value instanceof Error) keys.push('name', 'message', 'stack')
      for (const name of keys) {
        if (--left < 0) break
        result[name] = copy(value, name, depth + 1)
      }
      return result
    } catch {
      return '[...]'
    }
  }
  return copy([value], 0, 0)
}
