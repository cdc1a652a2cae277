import { BoundedMap } from '../bounded-map.js'

/**
 * What a reader of JSON could take a name for. Two spellings that fold to the same are treated as one name wherever that is
 * the safe side: fields to drop, fields to redact, `id` within `actor`. Case, `_` and `-` do not matter; nor do compatibility
 * forms (fullwidth, ligatures), accents, zero-width and other invisible characters, and white space.
 */
export function foldName(name: string): string {
  if (PLAIN_NAME.test(name)) {
    const lower = name.toLowerCase()
    return lower.includes('_') || lower.includes('-') ? lower.replace(/[_-]+/g, '') : lower
  }
  // Marks go first: `normalize` sorts a run of them in quadratic time.
  const bare = name.replace(MARKS, '').normalize('NFKD')
  return bare.replace(INVISIBLE, '').toUpperCase().toLowerCase().replace(INVISIBLE, '')
}

const PLAIN_NAME = /^[\x21-\x7e]*$/
const MARKS = /\p{M}+/gu
const INVISIBLE = /[\p{M}\p{C}\p{Z}\p{Pc}\p{Pd}\p{Default_Ignorable_Code_Point}]+/gu

/** What the rules say of one name. */
export interface NameFacts {
  /** Nothing: the common case, tested first. */
  readonly plain: boolean
  /** `__proto__` or `constructor`, which change an object's kind in careless code further on. */
  readonly forbidden: boolean
  readonly redact: boolean
  /** The name as it leaves: patterns masked, lone surrogates replaced. */
  readonly sent: string
  readonly folded: string
}

export interface Names {
  facts(name: string): NameFacts
  /** The name as a fault may say it: masked, never long, no control character. */
  speak(name: string): string
}

const SPEAKABLE = 48
const UNSPEAKABLE = /[^\p{L}\p{N}\p{P}\p{S} ]+/gu

/** Names remembered, so that a flood of new ones costs time but no memory. */
const REMEMBERED = 1024
const LONGEST_REMEMBERED = 64

/**
 * @param mask masks patterns in a name; returns it unchanged where there are none
 * @param maskSpoken the same for a name that a fault says, which also goes back to the browser and into the log
 * @param longest characters of a name that can still be sent at all; what a longer one says makes no difference
 */
export function createNames(
  redactFields: readonly string[],
  mask: (name: string) => string,
  maskSpoken: (name: string) => string,
  longest = Number.POSITIVE_INFINITY
): Names {
  const secret = redactFields.map(foldName).filter(name => name !== '')
  const known = new BoundedMap<NameFacts>(REMEMBERED)

  function learn(name: string): NameFacts {
    if (name.length > longest) return { plain: true, forbidden: false, redact: false, sent: name, folded: name }
    const folded = foldName(name)
    const sent = mask(name)
    const redact = secret.some(ending => folded.endsWith(ending))
    const forbidden = name === 'constructor' || isProto(name)
    return { plain: !forbidden && !redact && sent === name, forbidden, redact, sent, folded }
  }

  function recall(name: string): NameFacts {
    const facts = learn(name)
    if (name.length <= LONGEST_REMEMBERED) known.set(name, facts)
    return facts
  }

  return {
    facts: name => known.get(name) ?? recall(name),
    speak(name) {
      const masked = maskSpoken(name.slice(0, 4 * SPEAKABLE))
      const short = masked.length > SPEAKABLE ? `${masked.slice(0, SPEAKABLE)}…` : masked
      return short.replace(UNSPEAKABLE, '\ufffd')
    }
  }
}

const PROTO = '__proto__'

/** `__proto__` also in compatibility forms and with invisible characters. `constructor` in another spelling is harmless. */
function isProto(name: string): boolean {
  if (name === PROTO) return true
  if (PLAIN_NAME.test(name)) return false
  const seen = name.replace(UNSEEN, '')
  // What becomes nine of ASCII is nine characters at most, of two units each. For a long name `normalize` takes too long.
  return seen.length <= 2 * PROTO.length && seen.normalize('NFKC').replace(UNSEEN, '') === PROTO
}

const UNSEEN = /[\p{C}\p{Default_Ignorable_Code_Point}]+/gu
