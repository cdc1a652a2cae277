import { charSet, escapedDigits, type Finder, isDigit } from './scan.js'

/** Between groups of digits: space, no-break spaces, hyphen and dashes, as forms and copied text have them; `+` is a URL's space. */
const SEPARATOR = charSet(' -', '+', '\u00a0\u2007\u202f', '\u2010\u2011\u2012\u2013')

const LONGEST = 19
/** A shorter group ends a number. */
const SHORTEST_GROUP = 3

/** Lengths as bits. */
const bits = (...lengths: number[]) => lengths.reduce((set, length) => set | (1 << length), 0)
const FROM_13 = bits(13, 14, 15, 16, 17, 18, 19)
const FROM_14 = FROM_13 & ~bits(13)
const FROM_16 = bits(16, 17, 18, 19)

/** The lengths of the numbers that issuers give out, by their first four digits (ISO/IEC 7812 ranges in use). */
const ISSUED = Int32Array.from({ length: 10_000 }, (_, first) => {
  const two = Math.floor(first / 100)
  if (two >= 40 && two <= 49) return bits(13, 16, 19) // Visa
  if ((two >= 51 && two <= 55) || (first >= 2221 && first <= 2720)) return bits(16) // Mastercard
  if (two === 34 || two === 37) return bits(15) // American Express
  if (first === 6011 || (first >= 6440 && first <= 6599) || two === 62) return FROM_16 // Discover, UnionPay
  if ((first >= 3000 && first <= 3059) || first === 3095 || two === 36 || two === 38 || two === 39) return FROM_14 // Diners
  if (first >= 3528 && first <= 3589) return FROM_16 // JCB
  if (first >= 2200 && first <= 2204) return FROM_16 // Mir
  if (two === 50 || (two >= 56 && two <= 58) || two === 60 || two === 63 || two === 67) return FROM_13 // Maestro, RuPay
  return 0
})

/** Digits read ahead at once. */
const AHEAD = 512

/** A run of groups of digits as it is read once, for windows of groups to be tried from each. */
interface CardChain {
  /** The text from here to `end` has been read. */
  end: number
  groups: number
  /** The group that the next call is about. */
  group: number
  /** Digits at the beginning that may belong to an escape. */
  escaped: number
  readonly digits: Uint8Array
  /** Sums of the first n digits with those of even places doubled as the check wants it, and of odd places. */
  readonly even: Int32Array
  readonly odd: Int32Array
  /** By group: where it begins and ends in the text, and at which digit it ends. */
  readonly from: Int32Array
  readonly to: Int32Array
  readonly count: Int32Array
}

function createChain(): CardChain {
  const numbers = () => new Int32Array(AHEAD + LONGEST + 2)
  const digits = new Uint8Array(AHEAD + LONGEST + 2)
  return {
    end: 0,
    groups: 0,
    group: 0,
    escaped: 0,
    digits,
    even: numbers(),
    odd: numbers(),
    from: numbers(),
    to: numbers(),
    count: numbers()
  }
}

/** The length of what separates two groups at `at`; 0 for anything else. */
function separator(text: string, at: number): number {
  const code = text.charCodeAt(at)
  if (SEPARATOR[code] === 1) return 1
  return code === 0x25 && text.startsWith('20', at + 1) ? 3 : 0
}

/** Reads the groups that begin at `at`, until something else follows, or enough is read. */
function readChain(chain: CardChain, text: string, at: number, escaped: number): void {
  const { digits, even, odd } = chain
  let count = 0
  chain.groups = chain.group = 0
  chain.escaped = escaped
  for (let index = at, longest = LONGEST + escaped; ; longest = LONGEST) {
    const from = index
    const first = count
    for (let digit = text.charCodeAt(index) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(++index) - 48) {
      if (index - from > longest) continue
      const doubled = digit < 5 ? digit * 2 : digit * 2 - 9
      digits[count] = digit
      even[count + 1] = even[count]! + ((count & 1) === 0 ? doubled : digit)
      odd[count + 1] = odd[count]! + ((count & 1) === 0 ? digit : doubled)
      count++
    }
    chain.end = index
    // A longer run of digits is no part of a card's number.
    if (index - from > longest) break
    chain.from[chain.groups] = from
    chain.to[chain.groups] = index
    chain.count[chain.groups++] = count
    const apart = separator(text, index)
    if (count - first < SHORTEST_GROUP || apart === 0 || !isDigit(text.charCodeAt(index + apart))) break
    index += apart
    if (count > AHEAD) {
      // The last groups cannot see all that belongs to them: they are read again.
      while (count - chain.count[chain.groups - 1]! < LONGEST) chain.groups--
      chain.end = chain.to[chain.groups - 1]!
      break
    }
  }
}

/** Where the longest number ends that begins with the digit `start`, in the group `group`; 0 for none. */
function numberEnd(chain: CardChain, group: number, start: number): number {
  const lengths = ISSUED[thousands(chain.digits, start)]!
  let to = 0
  for (let last = group; lengths !== 0 && last < chain.groups; last++) {
    const count = chain.count[last]! - start
    if (count > LONGEST) break
    if (((lengths >> count) & 1) === 0) continue
    // Doubled is every second digit from the last but one.
    const sums = ((start ^ count) & 1) === 0 ? chain.even : chain.odd
    if ((sums[start + count]! - sums[start]!) % 10 === 0) to = chain.to[last]!
  }
  return to
}

/**
 * Finds a payment card's number: 13 to 19 digits, in one run or in groups, with an issuer's beginning and a right check digit
 * (ISO/IEC 7812-1, annex B). Whole groups only: 30 digits in a row are no card; but digits of an escape may stand before the
 * first. To be called at the first digit of every run, from left to right. Each digit is read once.
 */
export function createCards(): Finder {
  const chain = createChain()
  return function findCard(text, at, scan) {
    if (at >= scan.cardsDone) readChain(chain, text, at, escapedDigits(text, at, scan.kept))
    scan.cardsDone = chain.end
    // The 20 of a `%20` between two groups stands for the group behind it.
    while (chain.group < chain.groups && chain.from[chain.group]! < at) chain.group++
    const { group } = chain
    if (group >= chain.groups) {
      scan.next = chain.end
      return false
    }
    scan.next = chain.to[group]!
    let from = chain.from[group]!
    let to = numberEnd(chain, group, group === 0 ? 0 : chain.count[group - 1]!)
    if (to === 0 && group === 0 && chain.escaped > 0) {
      from += chain.escaped
      to = numberEnd(chain, 0, chain.escaped)
    }
    if (to === 0 || isFraction(text, from, scan.kept)) return false
    scan.from = from
    scan.to = to
    return true
  }
}

function thousands(digits: Uint8Array, at: number): number {
  return digits[at]! * 1000 + digits[at + 1]! * 100 + digits[at + 2]! * 10 + digits[at + 3]!
}

/** The digits of 0.4111… are a number's, such as Math.random() makes. */
function isFraction(text: string, at: number, kept: number): boolean {
  return at - 2 >= kept && text[at - 1] === '.' && isDigit(text.charCodeAt(at - 2))
}
