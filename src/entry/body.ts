import { isAscii, isUtf8 } from 'node:buffer'
import { RefusedEntries, refuseBody } from './refusal.js'

const BYTE_ORDER_MARK = 0xfeff

/** Levels of nesting that are not even parsed: each costs the parser memory, the more the deeper. */
const ABSURD = 10_000

/** Whether `byte` occurs more than ABSURD times. */
function isFrequent(body: Buffer, byte: number): boolean {
  let at = -1
  for (let count = 0; count <= ABSURD; count++) {
    at = body.indexOf(byte, at + 1)
    if (at === -1) return false
  }
  return true
}

/** Whether `body` nests deeper than ABSURD, strings aside. For JSON; of anything else it may say either. */
function isAbsurd(body: Buffer): boolean {
  // Searching is many times as fast as looking at each byte, and mostly enough.
  if (!isFrequent(body, 0x5b) && !isFrequent(body, 0x7b)) return false
  let depth = 0
  for (let at = 0; at < body.length; at++) {
    const byte = body[at]!
    // [ and { differ from ] and } in one bit each, and share all but one with each other.
    if ((byte | 0x20) === 0x7b) {
      if (++depth > ABSURD) return true
    } else if ((byte | 0x20) === 0x7d) depth--
    else if (byte === 0x22) {
      do at++
      while (at < body.length && body[at] !== 0x22 && (body[at] !== 0x5c || ++at))
    }
  }
  return false
}

/**
 * What the bytes of a request say. A byte order mark is passed over, as RFC 8259, section 8.1 allows; anything that is not
 * UTF-8 is refused rather than replaced, since what was meant cannot be known.
 * @throws RefusedEntries VALIDATION_EMPTY_BODY, VALIDATION_INVALID_JSON, VALIDATION_FAILED for absurd nesting
 */
export function parseBody(body: Buffer): { value: unknown; escapes: boolean } {
  const ascii = isAscii(body)
  if (!ascii && !isUtf8(body)) throw new RefusedEntries('VALIDATION_INVALID_JSON', 0)
  // Only a large body can be so deep that it matters.
  if (body.length > 2 * ABSURD && isAbsurd(body)) throw refuseBody(0, `must not be nested deeper than ${ABSURD} levels`)
  // the same characters, for less
  let text = ascii ? body.toString('latin1') : body.toString()
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) text = text.slice(1)
  try {
    return { value: JSON.parse(text), escapes: text.includes('\\u') }
  } catch {
    // The parser's message quotes the body, so it goes no further.
    throw new RefusedEntries(text.trim() === '' ? 'VALIDATION_EMPTY_BODY' : 'VALIDATION_INVALID_JSON', 0)
  }
}
