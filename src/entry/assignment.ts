import * as encoded from './encoded.js'
import { foldName } from './names.js'
import { CUT, charSet, REDACTED, type Scan } from './scan.js'

/** Names by their last letter first, folded, so that a text can be read leftwards from a `=`. */
interface Ending {
  readonly before: Map<number, Ending>
  end: boolean
  /** Of a header whose value goes on to the end of the line. */
  header: boolean
}

/** Latin letters with accents, folded as names are. Looked up since folding one costs a microsecond. */
const LATIN = Uint16Array.from(
  { length: 0x250 },
  (_, code) => foldName(String.fromCharCode(code)).charCodeAt(0) || code
)

const HEADERS = new Set(['authorization', 'cookie'])

function createEndings(names: readonly string[]): Ending {
  const root: Ending = { before: new Map(), end: false, header: false }
  for (const name of names) {
    const folded = foldName(name)
    let node = root
    for (let at = folded.length - 1; at >= 0; at--) {
      const code = folded.charCodeAt(at)
      const next = node.before.get(code) ?? { before: new Map(), end: false, header: false }
      node.before.set(code, next)
      node = next
    }
    node.end = node !== root
    node.header = HEADERS.has(folded)
  }
  return root
}

const QUOTE = charSet('"\'`')
const SPACE = charSet(' \t')
const BACKSLASH = charSet('\\')
/** Between a name and its `=` or `:`, besides spaces: `data["token"]=`, `\"token\":`. */
const CLOSER = charSet('"\'`]\\')
/** Ends a value that is not in quotes: white space, and what ends one in a URL, a cookie or markup. */
const STOP = charSet('\u0000-\u0020', '"\'`&;<>\\', '\u00a0', '\u2028\u2029')
/** Ends a value in JSON without quotes; and in prose. */
const SCALAR_STOP = charSet('\u0000-\u0020', ',}]"\'\\')
const PROSE_STOP = charSet('\u0000-\u0020', '"\'`&;<>\\,)}]', '\u00a0', '\u2028\u2029')
/** Ends a header's value. */
const LINE_STOP = charSet('\r\n')
const HEADER_STOP = charSet('\r\n"\'`&<>\\')
const AUTHORITY_STOP = charSet('\u0000-\u0020', '/?#"\'<>\\')
const SCHEME = /^(?:bearer|basic|digest|negotiate)$/i

/** "token: expired" is prose, "token: 9f86d081" is not: without quotes a value after a colon has this length and a digit. */
const SHORTEST_IN_PROSE = 6

function endOf(stop: Uint8Array, text: string, at: number): number {
  while (at < text.length && stop[text.charCodeAt(at)] === 0) at++
  return at
}

function skip(set: Uint8Array, text: string, at: number): number {
  while (set[text.charCodeAt(at)] === 1) at++
  return at
}

/** Finders for the value of a name: after `=`, after `:`, and after either in a URL's encoding. */
export function createAssignments(names: readonly string[]) {
  const endings = createEndings(names)

  /** The secret name that ends before `at`; `quoted` tells whether it stood in quotes. */
  let quoted = false
  function nameBefore(text: string, at: number, kept: number): Ending | undefined {
    let index = at - 1
    quoted = false
    while (index >= kept && SPACE[text.charCodeAt(index)] === 1) index--
    for (let closers = 0; closers < 4 && index >= kept; closers++) {
      const code = text.charCodeAt(index)
      if (CLOSER[code] === 1) {
        if (QUOTE[code] === 1) quoted = true
        index--
      } else if (index - 2 >= kept && text[index - 2] === '%' && encoded.isCloser(text, index - 2)) {
        if (encoded.isQuote(text, index - 2)) quoted = true
        index -= 3
      } else break
    }
    let node = endings
    for (; index >= kept; index--) {
      let code = text.charCodeAt(index)
      if (code === 0x5f || code === 0x2d) continue
      if (code >= 65 && code <= 90) code |= 0x20
      else if (code >= 128) code = LATIN[code] ?? code
      const next = node.before.get(code)
      if (next === undefined) return undefined
      if (next.end) return next
      node = next
    }
    return undefined
  }

  /** Masks from..to unless that has been done before, or nothing is there. */
  function hit(text: string, from: number, to: number, scan: Scan): boolean {
    if (to <= from) return false
    if (to - from === REDACTED.length && text.startsWith(REDACTED, from)) {
      scan.next = to
      return false
    }
    if (to - from === 1 && text[from] === CUT) return false
    scan.from = from
    scan.to = to
    return true
  }

  /** A value in quotes that begins at `at`, or 0: the end of the opening quote, escaped as often as it may be. */
  function opening(text: string, at: number): number {
    const quote = text.charCodeAt(at) === 0x5c ? skip(BACKSLASH, text, at) : at
    return QUOTE[text.charCodeAt(quote)] === 1 ? quote + 1 : 0
  }

  /** The end of a value in quotes: the same quote, escaped no more often than the first. @param start of the value */
  function closing(text: string, start: number, at: number): number {
    const quote = text.charCodeAt(start - 1)
    const escapes = start - 1 - at
    let run = 0
    for (let index = start; index < text.length; index++) {
      const code = text.charCodeAt(index)
      if (code === 0x5c) run++
      else {
        if (code === quote && (escapes === 0 ? run % 2 === 0 : run <= escapes))
          return escapes === 0 ? index : index - run
        run = 0
      }
    }
    return text.length
  }

  function value(text: string, at: number, name: Ending, inUrl: boolean, scan: Scan): boolean {
    const begin = skip(SPACE, text, at)
    const open = opening(text, begin)
    if (open > 0) return hit(text, open, closing(text, open, begin), scan)
    const stop = name.header ? HEADER_STOP : STOP
    const quote = encoded.opening(text, begin)
    if (inUrl) {
      return quote > 0
        ? hit(text, quote, encoded.closing(text, quote, begin), scan)
        : hit(text, begin, encoded.valueEnd(stop, text, begin), scan)
    }
    // `%22a b%22`: what the quotes hold is not ended by a space
    let to = endOf(stop, text, quote > 0 ? encoded.closing(text, quote, begin) : begin)
    if (to - begin <= 9 && SCHEME.test(text.slice(begin, to))) {
      to = endOf(STOP, text, skip(SPACE, text, to))
    }
    return hit(text, begin, to, scan)
  }

  /** `token=…`, also in a query string, a form, a cookie; not `token == x` and `token => x`. */
  function findEquals(text: string, at: number, scan: Scan): boolean {
    const after = text.charCodeAt(at + 1)
    if (after === 0x3d || after === 0x3e) {
      while (text.charCodeAt(scan.next) === 0x3d) scan.next++
      return false
    }
    // `token := x` assigns too.
    const name = nameBefore(text, text.charCodeAt(at - 1) === 0x3a ? at - 1 : at, scan.kept)
    return name !== undefined && value(text, at + 1, name, false, scan)
  }

  /** The same within a URL that is itself a parameter: after `%3D`, and after `%3A` in JSON. */
  function findEncoded(text: string, at: number, scan: Scan): boolean {
    const sign = text.charCodeAt(at + 1) === 0x33 ? text.charCodeAt(at + 2) | 0x20 : 0
    if (sign !== 0x64 && sign !== 0x61) return false
    const name = nameBefore(text, at, scan.kept)
    if (name === undefined) return false
    if (sign === 0x64) return value(text, at + 3, name, true, scan)
    const inQuotes = quoted
    const begin = encoded.skipSpaces(text, at + 3)
    const quote = encoded.opening(text, begin)
    if (quote > 0) return hit(text, quote, encoded.closing(text, quote, begin), scan)
    if (!inQuotes || encoded.isCompound(text, begin)) return false
    return hit(text, begin, encoded.scalarEnd(SCALAR_STOP, text, begin), scan)
  }

  /** The password of `https://user:password@host`. */
  function userinfo(text: string, at: number, scan: Scan): boolean {
    const end = endOf(AUTHORITY_STOP, text, at)
    let colon = 0
    let host = 0
    for (let index = at; index < end; index++) {
      const code = text.charCodeAt(index)
      if (code === 0x3a && colon === 0) colon = index
      else if (code === 0x40) host = index
    }
    return colon > 0 && host > colon && hit(text, colon + 1, host, scan)
  }

  /** `"password": "…"` in JSON or code, `Authorization: …` in headers, `password: hunter2` in prose. */
  function findColon(text: string, at: number, scan: Scan): boolean {
    if (text.charCodeAt(at + 1) === 0x2f && text.charCodeAt(at + 2) === 0x2f) return userinfo(text, at + 3, scan)
    const name = nameBefore(text, at, scan.kept)
    if (name === undefined) return false
    const inQuotes = quoted
    const begin = skip(SPACE, text, at + 1)
    const open = opening(text, begin)
    if (open > 0) return hit(text, open, closing(text, open, begin), scan)
    if (inQuotes) {
      const first = text[begin]
      return first !== '{' && first !== '[' && hit(text, begin, endOf(SCALAR_STOP, text, begin), scan)
    }
    if (name.header) return hit(text, begin, endOf(LINE_STOP, text, begin), scan)
    if (begin < scan.proseDone) return false
    const to = endOf(PROSE_STOP, text, begin)
    if (/\d/.test(text.slice(begin, to))) return to - begin >= SHORTEST_IN_PROSE && hit(text, begin, to, scan)
    scan.proseDone = to
    return false
  }

  /** The value of a name that ends right before `at`, and so has become part of another one's value. */
  function findBehind(text: string, at: number, scan: Scan): boolean {
    let index = at
    for (let closers = 0; closers < 4; closers++) {
      if (CLOSER[text.charCodeAt(index)] === 1) index++
      else if (encoded.isCloser(text, index)) index += 3
      else break
    }
    index = skip(SPACE, text, index)
    const sign = text[index]
    if (sign === '=') return findEquals(text, index, scan)
    if (sign === '%') return findEncoded(text, index, scan)
    if (sign !== ':' || text.startsWith('//', index + 1)) return false
    return findColon(text, index, scan) || (text[index + 1] === '=' && findEquals(text, index + 1, scan))
  }

  return { findEquals, findEncoded, findColon, findBehind }
}
