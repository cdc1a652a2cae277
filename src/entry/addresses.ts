import { isIPv6 } from 'node:net'
import { charSet, isDigit, type Scan } from './scan.js'

// Latin letters beyond ASCII are taken too, but no script that is written without spaces: its prose would be masked along.
const LOCAL_PART = charSet('A-Z', 'a-z', '0-9', '._+-', '\u00c0-\u024f')
const DOMAIN = charSet('A-Z', 'a-z', '0-9', '.-', '\u00c0-\u024f')

/** An email address, from its `@`. Both sides end at the next `@` at the latest, so the scan stays linear. */
export function findEmail(text: string, at: number, scan: Scan): boolean {
  let from = at
  while (from > scan.kept && LOCAL_PART[text.charCodeAt(from - 1)] === 1) from--
  return endsInDomain(text, from, at, at + 1, scan)
}

/** In a URL's encoding: `+`, which may divide a local part, and letters beyond ASCII. */
const ENCODED_PART = /%(?:2b|[89a-f][\da-f])/iy
const ENCODED = /%[\da-f]{2}/iy

function isAt(pattern: RegExp, text: string, at: number): boolean {
  pattern.lastIndex = at
  return pattern.test(text)
}

/** The same in a URL, from its `%40`. */
export function findEncodedEmail(text: string, at: number, scan: Scan): boolean {
  if (!text.startsWith('40', at + 1)) return false
  let from = at
  while (from > scan.kept && (LOCAL_PART[text.charCodeAt(from - 1)] === 1 || isAt(ENCODED_PART, text, from - 1))) from--
  // What is encoded before it is no part of it.
  if (from > scan.kept && isAt(ENCODED, text, from - 1)) from += 2
  return endsInDomain(text, from, at, at + 3, scan)
}

/** Whether there is something from `from` to `at`, and behind it, at `begin`, a domain. */
function endsInDomain(text: string, from: number, at: number, begin: number, scan: Scan): boolean {
  if (from >= at) return false
  let to = begin
  let dots = 0
  while (DOMAIN[text.charCodeAt(to)] === 1) {
    if (text[to] === '.') dots++
    to++
  }
  while (text[to - 1] === '.' || text[to - 1] === '-') {
    if (text[to - 1] === '.') dots--
    to--
  }
  if (dots <= 0 || to <= begin + 2) return false
  scan.from = from
  scan.to = to
  return true
}

/** An IPv4 address in dotted decimal. Must be called at the first digit of a run. */
export function findIpv4(text: string, at: number, scan: Scan): boolean {
  if (at - 2 >= scan.kept && text[at - 1] === '.' && isDigit(text.charCodeAt(at - 2))) return false
  let index = at
  for (let part = 0; part < 4; part++) {
    if (part > 0 && text[index++] !== '.') return false
    const first = index
    let value = 0
    while (isDigit(text.charCodeAt(index)) && index - first < 4) value = value * 10 + text.charCodeAt(index++) - 48
    if (index === first || index - first > 3 || value > 255) return false
  }
  if (text[index] === '.' && isDigit(text.charCodeAt(index + 1))) return false
  scan.from = at
  scan.to = index
  return true
}

const HEX = charSet('0-9', 'a-f', 'A-F')
const IPV6 = charSet('0-9', 'a-f', 'A-F', ':.')
const WORD = charSet('A-Z', 'a-z', '0-9', '_')
const LONGEST_IPV6 = 45

/** Whether `%2C` or the like ends before `at`. */
function isAfterEscape(text: string, at: number, kept: number): boolean {
  return at - 3 >= kept && isAt(ENCODED, text, at - 3)
}

/** An IPv6 address, from its first colon. At least one digit: `A::B` is a name in some languages. */
export function findIpv6(text: string, at: number, scan: Scan): boolean {
  if (at < scan.ipDone) return false
  const { kept } = scan
  let from = at
  while (from > kept && at - from < 5 && HEX[text.charCodeAt(from - 1)] === 1 && !isAfterEscape(text, from, kept))
    from--
  let to = at
  while (IPV6[text.charCodeAt(to)] === 1) to++
  scan.ipDone = to
  const word = from > kept && WORD[text.charCodeAt(from - 1)] === 1 && !isAfterEscape(text, from, kept)
  // The first colon of `client:2001:db8::1` belongs to the word before it.
  if (word || at - from > 4) from = at + 1
  // A sentence may end with the address.
  while (text[to - 1] === '.' || (text[to - 1] === ':' && text[to - 2] !== ':')) to--
  if (to - from > LONGEST_IPV6 || to <= at) return false
  const address = text.slice(from, to)
  if (!/\d/.test(address) || !isIPv6(address)) return false
  scan.from = from
  scan.to = to
  return true
}
