import { findEmail, findEncodedEmail, findIpv4, findIpv6 } from './addresses.js'
import { createAssignments } from './assignment.js'
import { createCards } from './card.js'
import { type Pattern, SECRET_NAMES } from './rules.js'
import { escapedDigits, type Finder, isDigit, REDACTED, type Scan } from './scan.js'
import { findBearer, findJwt, findLogtrailKey } from './tokens.js'

/**
 * Masks every pattern in a string; returns the very same string where there is none, and changes nothing when called on
 * its own result. One pass from left to right, written out by character: a set of regular expressions would read each string
 * several times over, and the obvious ones for these patterns backtrack. The libraries (redact-pii and its forks, openredaction)
 * are such sets; those that know fields alone (fast-redact) do not look into strings.
 * @param names whose values `assignment` masks, besides the usual ones
 * @param longest characters of the result that count: what lies beyond is left as it is, for a caller that cuts it off or
 *   refuses it. So a string of any length costs no more than one of this length and what is masked in it.
 */
export function createMask(
  patterns: readonly Pattern[],
  names: readonly string[],
  longest = Number.POSITIVE_INFINITY
): (text: string) => string {
  const on = new Set(patterns)
  const finders: Finder[] = []
  // What each character could be part of: the number of a finder, mostly 0 for none.
  const triggers = new Uint8Array(65536)

  function trigger(characters: string, ...found: (Finder | false)[]): void {
    const wanted = found.filter(finder => finder !== false)
    if (wanted.length === 0) return
    const [first, second] = wanted as [Finder, Finder?]
    finders.push(second === undefined ? first : (text, at, scan) => first(text, at, scan) || second(text, at, scan))
    for (let at = 0; at < characters.length; at++) triggers[characters.charCodeAt(at)] = finders.length
  }

  const { findEquals, findEncoded, findColon, findBehind } = createAssignments([...SECRET_NAMES, ...names])
  trigger('_', on.has('logtrail-key') && findLogtrailKey)
  trigger('J', on.has('jwt') && findJwt)
  trigger('0123456789', (on.has('card') || on.has('ip')) && numbers(on.has('card'), on.has('ip')))
  trigger('=', on.has('assignment') && findEquals)
  trigger('%', on.has('assignment') && findEncoded, on.has('email') && findEncodedEmail)
  trigger(':', on.has('assignment') && findColon, on.has('ip') && findIpv6)
  trigger('Bb', on.has('assignment') && findBearer)
  trigger('@', on.has('email') && findEmail)

  const scan: Scan = { kept: 0, from: 0, to: 0, next: 0, jwtDone: 0, ipDone: 0, cardsDone: 0, proseDone: 0 }

  /**
   * Takes along what begins within what is to be masked and ends behind it: a card's number of which a blank cut off the first
   * group, the value of a name, the token of a `Bearer`. Of the rest alone nobody would know what it is.
   */
  function stretch(text: string): void {
    const { kept, from } = scan
    let { to } = scan
    scan.kept = from
    let at = lastReach(text, from, to)
    for (;;) {
      while (at < to) {
        const finder = triggers[text.charCodeAt(at)]!
        scan.next = at + 1
        if (finder !== 0 && finders[finder - 1]!(text, at, scan) && scan.to > to) {
          to = scan.to
          scan.next = lastReach(text, scan.next, to)
        }
        at = scan.next
      }
      if (!findAcross(text, to) && (!on.has('assignment') || !findBehind(text, to, scan))) break
      at = lastReach(text, at, scan.to)
      to = scan.to
    }
    scan.kept = kept
    scan.from = from
    scan.to = to
  }

  /** An address whose first part ends what is to be masked: it is known by the sign behind that. */
  function findAcross(text: string, to: number): boolean {
    const { ipDone } = scan
    const sign = text[to]
    const found =
      (sign === ':' && on.has('ip') && findIpv6(text, to, scan)) ||
      (sign === '@' && on.has('email') && findEmail(text, to, scan)) ||
      (sign === '%' && on.has('email') && findEncodedEmail(text, to, scan))
    if (found && scan.from < to) return true
    // what begins behind it is found in its turn
    scan.ipDone = ipDone
    return false
  }

  function once(text: string): string {
    const { length } = text
    let at = 0
    // The common case, a string with nothing in it, is this loop alone.
    while (at < length && triggers[text.charCodeAt(at)] === 0) at++
    if (at === length) return text
    let masked = ''
    scan.kept = scan.jwtDone = scan.ipDone = scan.cardsDone = scan.proseDone = 0
    while (at < length && masked.length + at - scan.kept <= longest) {
      const finder = triggers[text.charCodeAt(at)]!
      if (finder === 0) {
        at++
        continue
      }
      scan.next = at + 1
      if (finders[finder - 1]!(text, at, scan)) {
        stretch(text)
        masked += text.slice(scan.kept, scan.from) + REDACTED
        at = scan.kept = scan.to
      } else at = scan.next
    }
    return scan.kept === 0 ? text : masked + text.slice(scan.kept)
  }

  return function mask(text) {
    let masked = once(text)
    // What stood before a mask may be told more clearly now: an address run together with a card's number.
    for (let rounds = 0, before = text; masked !== before && rounds < MOST_ROUNDS; rounds++) {
      before = masked
      masked = once(before)
    }
    return masked
  }
}

const MOST_ROUNDS = 4

/**
 * How far from the end of a mask something may begin that ends behind it: a card's number, with its separators encoded. Being
 * short it keeps the scan linear, however often one value lies in another.
 */
const REACH = 40

/** The first place not before `from` that is so near to `to`, and not in the middle of a run of digits. */
function lastReach(text: string, from: number, to: number): number {
  if (from >= to - REACH) return from
  let at = to - REACH
  while (isDigit(text.charCodeAt(at)) && isDigit(text.charCodeAt(at - 1))) at++
  return at
}

/** What can begin with a digit. It goes on after the whole run of digits, so that none is read from its middle. */
function numbers(card: boolean, ip: boolean): Finder {
  const findCard = createCards()
  return (text, at, scan) => {
    const escaped = escapedDigits(text, at, scan.kept)
    if (ip && (findIpv4(text, at, scan) || (escaped > 0 && findIpv4(text, at + escaped, scan)))) return true
    if (card && (at < scan.cardsDone || beginsNumber(text, at) || (escaped > 0 && beginsNumber(text, at + escaped))))
      return findCard(text, at, scan)
    while (isDigit(text.charCodeAt(scan.next))) scan.next++
    return false
  }
}

/** Issuers' numbers begin with 2 to 6. */
function beginsNumber(text: string, at: number): boolean {
  const code = text.charCodeAt(at)
  return code >= 0x32 && code <= 0x36
}
