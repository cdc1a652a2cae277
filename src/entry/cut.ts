import { CUT, REDACTED } from './scan.js'

/** Bytes that JSON takes for `text`, quotes left out. */
export function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text)) - 2
}

const CUT_BYTES = Buffer.byteLength(CUT)
const graphemes = new Intl.Segmenter('en', { granularity: 'grapheme' })
/** Characters looked at on both sides of a cut to find what belongs together; the longest emoji in use has 14. */
const TOGETHER = 64

/**
 * The beginning of `text` in at most `bytes` of JSON, with `…` at its end. Never ends within a character as people see it (a
 * pair of surrogates, an emoji of several parts, a letter and its accents) nor within a mask, and is never something that
 * masking would change: a number cut off must not look like a card's.
 * @param bytes at least 3, less than `text` takes
 */
export function cut(text: string, bytes: number, mask: (text: string) => string): string {
  let end = wholeMask(text, wholeCharacter(text, fitting(text, bytes - CUT_BYTES)))
  for (;;) {
    const short = text.slice(0, end) + CUT
    const masked = mask(short)
    if (masked === short) return short
    end = wholeCharacter(text, Math.min(end - 1, firstDifference(short, masked)))
  }
}

/** How many UTF-16 units from the start take at most `bytes` of JSON. */
function fitting(text: string, bytes: number): number {
  let left = bytes
  let index = 0
  while (index < text.length) {
    const code = text.codePointAt(index)!
    left -= bytesOf(code)
    if (left < 0) break
    index += code > 0xffff ? 2 : 1
  }
  return index
}

/** As JSON.stringify writes it (ECMA-262, QuoteJSONString), in UTF-8. */
function bytesOf(code: number): number {
  if (code < 0x20) return code === 8 || code === 9 || code === 10 || code === 12 || code === 13 ? 2 : 6
  if (code === 0x22 || code === 0x5c) return 2
  if (code < 0x80) return 1
  if (code < 0x800) return 2
  return code > 0xffff ? 4 : 3
}

function wholeCharacter(text: string, end: number): number {
  // Plain characters stand alone.
  if (end === 0 || end >= text.length || (text.charCodeAt(end) < 0x80 && text.charCodeAt(end - 1) < 0x80)) return end
  const start = Math.max(0, end - TOGETHER)
  const { index } = graphemes.segment(text.slice(start, end + TOGETHER)).containing(end - start)!
  // A pile of accents longer than that is cut between two of them.
  return index === 0 && start > 0 ? end : start + index
}

function wholeMask(text: string, end: number): number {
  const from = text.lastIndexOf(REDACTED, end)
  return from !== -1 && end < from + REDACTED.length ? from : end
}

function firstDifference(one: string, other: string): number {
  let at = 0
  while (one.charCodeAt(at) === other.charCodeAt(at)) at++
  return at
}
