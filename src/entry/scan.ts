export const REDACTED = '[REDACTED]'

/** Ends a string that was cut to fit. */
export const CUT = '…'

/**
 * A string being read from left to right by `createMask`. Finders look at it from one character that could belong to what
 * they know, and must keep the whole scan linear: whatever they read in vain, they may not read again from the next such
 * character. Nothing left of `kept` may be looked at, so that masking a masked string changes nothing.
 */
export interface Scan {
  /** Up to here the text is dealt with. */
  kept: number
  /** What is to be masked, set by a finder that returns true. */
  from: number
  to: number
  /** Where to go on after a finder returned false; at least one further. */
  next: number
  /** Up to here no JWT can begin; no IPv6 address; digits have been read; and a value in prose holds no digit. */
  jwtDone: number
  ipDone: number
  cardsDone: number
  proseDone: number
}

/** Whether something to mask lies at `at`. */
export type Finder = (text: string, at: number, scan: Scan) => boolean

export function isDigit(code: number): boolean {
  return code >= 48 && code <= 57
}

/** A table of the characters named, for one lookup by UTF-16 code. */
export function charSet(...ranges: string[]): Uint8Array {
  const table = new Uint8Array(65536)
  for (const range of ranges) {
    const last = range.charCodeAt(range.length - 1)
    if (range.length === 3 && range[1] === '-') table.fill(1, range.charCodeAt(0), last + 1)
    else for (let at = 0; at < range.length; at++) table[range.charCodeAt(at)] = 1
  }
  return table
}

const ESCAPING = charSet('%u', 'a-f', 'A-F')
const HEX = charSet('0-9', 'a-f', 'A-F')

/** How many of the digits that begin at `at` may belong to an escape before them: both of `%22`, the last of `\u00e9`. */
export function escapedDigits(text: string, at: number, kept: number): number {
  if (ESCAPING[text.charCodeAt(at - 1)] !== 1) return 0
  for (let digits = 0; digits < 4; digits++) {
    const before = at - 1 - digits
    if (before < kept) return 0
    const code = text.charCodeAt(before)
    if (code === 0x25) return Math.max(0, 2 - digits)
    // `\u0022`, and `%u0022` as `escape` has it
    if (code === 0x75) return before > kept && /[\\%]/.test(text[before - 1]!) ? 4 - digits : 0
    if (HEX[code] !== 1) return 0
  }
  return 0
}
