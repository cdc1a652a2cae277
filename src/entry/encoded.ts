import { charSet } from './scan.js'

/** `&`, `"`, space and `;` in a URL's encoding. */
const STOP = /%(?:26|22|20|3b)/iy
/** What ends a number or a word in JSON: `,` `}` `]`, and space. */
const SCALAR_STOP = /%(?:2c|7d|5d|22|20|26|0[9ad])/iy
/** What may stand between a name and its sign: `"` `'` `` ` `` `]` `\`. */
const CLOSER = /%(?:22|27|60|5d|5c)/iy
const QUOTE = /%(?:22|27|60)/y
const BACKSLASH = /%5c/iy
const SPACES = /(?:[ \t+]|%20|%09)*/y
const COMPOUND = /[{[]|%7b|%5b/iy
const ENCODED = /%[\da-f]{2}/iy
/** Encoded quotes end at these at the latest: they stand for themselves, so the value's text ends there. */
const OUTSIDE = charSet('\r\n"\'`&<>\\')

function isAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at
  return pattern.test(text)
}

/** Whether one of these begins at `at`. */
export function isCloser(text: string, at: number): boolean {
  return isAt(CLOSER, text, at)
}

export function isQuote(text: string, at: number): boolean {
  return isAt(QUOTE, text, at)
}

/** Whether an object or a list begins at `at`, encoded or not. */
export function isCompound(text: string, at: number): boolean {
  return isAt(COMPOUND, text, at)
}

export function skipSpaces(text: string, at: number): number {
  SPACES.lastIndex = at
  SPACES.test(text)
  return SPACES.lastIndex
}

/** The end of a value: what ends one is encoded as well. It reads no further: the next name may begin there. */
function endBefore(pattern: RegExp, stop: Uint8Array, text: string, from: number): number {
  let at = from
  while (
    at < text.length &&
    stop[text.charCodeAt(at)] === 0 &&
    !(text.charCodeAt(at) === 0x25 && isAt(pattern, text, at))
  )
    at++
  return at
}

/** @param stop characters that end it where they are not encoded */
export function valueEnd(stop: Uint8Array, text: string, at: number): number {
  return endBefore(STOP, stop, text, at)
}

export function scalarEnd(stop: Uint8Array, text: string, at: number): number {
  return endBefore(SCALAR_STOP, stop, text, at)
}

/** Where the value begins whose quote, encoded and escaped as often as it may be, begins at `at`; 0 where there is none. */
export function opening(text: string, at: number): number {
  let quote = at
  while (isAt(BACKSLASH, text, quote)) quote += 3
  return isQuote(text, quote) ? quote + 3 : 0
}

/**
 * The end of a value in encoded quotes: the same quote, escaped no more often than the first; what cannot stand in it is the end
 * of one that is not closed.
 * @param start of the value
 * @param at where the escapes before its quote begin
 */
export function closing(text: string, start: number, at: number): number {
  const quote = text.slice(start - 3, start)
  const escapes = (start - 3 - at) / 3
  let run = 0
  let index = start
  while (index < text.length && OUTSIDE[text.charCodeAt(index)] === 0) {
    const encoded = text.charCodeAt(index) === 0x25 && isAt(ENCODED, text, index)
    if (encoded && isAt(BACKSLASH, text, index)) run++
    else {
      if (encoded && text.startsWith(quote, index) && (escapes === 0 ? run % 2 === 0 : run <= escapes))
        return escapes === 0 ? index : index - 3 * run
      run = 0
    }
    index += encoded ? 3 : 1
  }
  return index
}
