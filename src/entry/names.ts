/**
 * What a reader of JSON could take a name for. Two spellings that fold to the same are treated as one name wherever that is
 * the safe side: fields to drop, fields to redact, `id` within `actor`. Case, `_` and `-` do not matter; nor do compatibility
 * forms (fullwidth, ligatures), accents, zero-width and other invisible characters, and white space.
 */
export function foldName(name: string): string {
  if (PLAIN_NAME.test(name)) return name.toLowerCase().replace(/[_-]+/g, '')
  return name.normalize('NFKD').replace(INVISIBLE, '').toUpperCase().toLowerCase().replace(INVISIBLE, '')
}

const PLAIN_NAME = /^[\x21-\x7e]*$/
const INVISIBLE = /[\p{M}\p{C}\p{Z}\p{Pc}\p{Pd}\p{Default_Ignorable_Code_Point}]+/gu

/** A name as it may be said in a fault: never long, never a control character. */
const UNSPEAKABLE = /[^\p{L}\p{N}\p{P}\p{S} ]+/gu
const SPEAKABLE = 48

export function speakName(name: string): string {
  const short = name.length > SPEAKABLE ? `${name.slice(0, SPEAKABLE)}…` : name
  return short.replace(UNSPEAKABLE, '\ufffd')
}

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
}

/** Names remembered, twice over at most, so that a flood of new ones costs time but no memory. */
const GENERATION = 512
const LONGEST_REMEMBERED = 64

/** @param mask masks patterns in a name; returns it unchanged where there are none */
export function createNames(redactFields: readonly string[], mask: (name: string) => string): Names {
  const secret = redactFields.map(foldName).filter(name => name !== '')
  let young = new Map<string, NameFacts>()
  let old = new Map<string, NameFacts>()

  function learn(name: string): NameFacts {
    const folded = foldName(name)
    const sent = mask(name)
    const redact = secret.some(ending => folded.endsWith(ending))
    const forbidden = name === 'constructor' || isProto(name)
    return { plain: !forbidden && !redact && sent === name, forbidden, redact, sent, folded }
  }

  function recall(name: string): NameFacts {
    if (name.length > LONGEST_REMEMBERED) return learn(name)
    const facts = old.get(name) ?? learn(name)
    if (young.size >= GENERATION) {
      old = young
      young = new Map()
    }
    young.set(name, facts)
    return facts
  }

  return { facts: name => young.get(name) ?? recall(name) }
}

function isProto(name: string): boolean {
  if (name === '__proto__') return true
  return !PLAIN_NAME.test(name) && name.normalize('NFKC').replace(ZERO_WIDTH, '') === '__proto__'
}

const ZERO_WIDTH = /[\p{C}\p{Default_Ignorable_Code_Point}]+/gu
