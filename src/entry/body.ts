import { isUtf8 } from 'node:buffer'
import { RefusedEntries } from './refusal.js'

const BYTE_ORDER_MARK = 0xfeff

/**
 * What the bytes of a request say. A byte order mark is passed over, as RFC 8259, section 8.1 allows; anything that is not
 * UTF-8 is refused rather than replaced, since what was meant cannot be known.
 * @throws RefusedEntries VALIDATION_EMPTY_BODY, VALIDATION_INVALID_JSON
 */
export function parseBody(body: Buffer): { value: unknown; escapes: boolean } {
  if (!isUtf8(body)) throw new RefusedEntries('VALIDATION_INVALID_JSON', 0)
  let text = body.toString()
  if (text.charCodeAt(0) === BYTE_ORDER_MARK) text = text.slice(1)
  try {
    return { value: JSON.parse(text), escapes: text.includes('\\u') }
  } catch {
    // The parser's message quotes the body, so it goes no further.
    throw new RefusedEntries(text.trim() === '' ? 'VALIDATION_EMPTY_BODY' : 'VALIDATION_INVALID_JSON', 0)
  }
}
