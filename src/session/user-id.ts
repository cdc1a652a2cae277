/** The longest user id that is taken, in UTF-16 units. */
export const MAX_USER_ID = 256

/** Controls, which forge log lines, and lone surrogates, which are no text. */
const NOT_TEXT = /[\p{Cc}\p{Cs}]/u

/**
 * A user id as this program uses it: a string of 1 to 256 characters without control characters, or a whole number
 * (within ±2^53) written out. Undefined for anything else.
 */
export function toUserId(value: unknown): string | undefined {
  if (typeof value === 'number') return Number.isSafeInteger(value) ? String(value) : undefined
  if (typeof value !== 'string' || value.length === 0 || value.length > MAX_USER_ID) return undefined
  return NOT_TEXT.test(value) ? undefined : value
}

/**
 * Reads what stands at `path` in parsed JSON: a member of the whole name if there is one (Auth0's claims are URLs, with
 * dots), else member by member along the dots. Own members of plain objects only; undefined when there is none.
 *
 * Throws an Error naming the fault when the path itself cannot be one.
 */
export function createPathReader(path: string): (data: unknown) => unknown {
  const steps = path.split('.')
  if (path === '' || /[\p{Cc}\s]/u.test(path))
    throw new Error('SESSION_USER_CLAIM: must name a claim, or a dotted path such as user.id')
  if (steps.some(step => step === '__proto__')) throw new Error('SESSION_USER_CLAIM: must not contain __proto__')
  return data => {
    if (!isPlainObject(data)) return undefined
    if (Object.hasOwn(data, path)) return data[path]
    let value: unknown = data
    for (const step of steps) {
      if (!isPlainObject(value) || !Object.hasOwn(value, step)) return undefined
      value = value[step]
    }
    return value
  }
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
