import { readHost, readListen, readNetwork, readOrigin, readPrefix, readUrl } from './addresses.js'
import { readKeys, readPublicKey, readSharedSecret } from './secrets.js'

/**
 * The forms a variable's text may have. Plain data, because they stand in the schema, which is cloned for every run.
 * `T` is what the text becomes; it exists for the compiler alone.
 */
export type Form<T = unknown> = Shape & { readonly '~value'?: T }

export interface RangeShape {
  kind: 'integer' | 'duration' | 'size'
  min: number
  max: number
}
export interface PlainShape {
  kind: 'claim' | 'path' | 'listen' | 'host' | 'origin' | 'prefix' | 'publicKey' | 'sharedSecret'
}
export interface NetworkShape {
  kind: 'network'
  names: readonly string[]
}
export interface UrlShape {
  kind: 'url'
  schemes: readonly string[]
  bare: boolean
}
export interface ListShape {
  kind: 'list'
  of: Form
  base?: string
  none: boolean
  lines: boolean
}
type Shape =
  | RangeShape
  | PlainShape
  | NetworkShape
  | UrlShape
  | ListShape
  | { kind: 'flag' | 'keys' }
  | { kind: 'choice'; of: readonly string[] }
  | { kind: 'text'; pattern: RegExp; must: string }

/** Takes a fault: what the text must be, and which part of it is meant where that is not the whole. */
export type Report = (must: string, part?: string) => void

export const integer = (min: number, max: number): Form<number> => ({ kind: 'integer', min, max })
export const duration = (min: string, max: string): Form<number> => ({
  kind: 'duration',
  min: milliseconds(min)!,
  max: milliseconds(max)!
})
export const size = (min: string, max: string): Form<number> => ({ kind: 'size', min: bytes(min)!, max: bytes(max)! })
export const flag: Form<boolean> = { kind: 'flag' }
export const choice = <const C extends readonly string[]>(...of: C): Form<C[number]> => ({ kind: 'choice', of })
export const text = (pattern: RegExp, must: string): Form<string> => ({ kind: 'text', pattern, must })
export const plain = (kind: PlainShape['kind']): Form<string> => ({ kind })
export const keys: Form<string[]> = { kind: 'keys' }
export const network = (...names: string[]): Form<string> => ({ kind: 'network', names })
/** `bare`: nothing after the path. */
export const url = (schemes: readonly string[], bare = false): Form<string> => ({ kind: 'url', schemes, bare })
/**
 * Separated by commas. `base`: what a list that begins with `+` adds to. `none`: the word `none` alone is the empty
 * list, for where an unset variable is not. `lines`: line breaks separate too, as in a file of keys.
 */
export const list = <T>(of: Form<T>, more: { base?: string; none?: boolean; lines?: boolean } = {}): Form<T[]> => ({
  kind: 'list',
  of,
  none: false,
  lines: false,
  ...more
})

/** Whether a text says nothing: for a list that is also one of separators alone, as a template leaves behind. */
export function isBlank({ kind }: Form, text: string): boolean {
  return (kind === 'list' || kind === 'keys' ? text.replaceAll(',', '') : text).trim() === ''
}

/** The value of a text, or undefined with at least one fault reported. The text is not blank. */
export function read(form: Form, input: string, report: Report): unknown {
  switch (form.kind) {
    case 'integer':
      return within(form, /^-?\d{1,15}$/.test(input) ? Number(input) : undefined, report)
    case 'duration':
      return within(form, milliseconds(input), report)
    case 'size':
      return within(form, bytes(input), report)
    case 'flag':
      if (input !== 'true' && input !== 'false') return report('must be `true` or `false`')
      return input === 'true'
    case 'choice':
      if (!form.of.includes(input)) return report(`must be one of ${form.of.map(code).join(', ')}`)
      return input
    case 'text':
      if (!form.pattern.test(input)) return report(`must be ${form.must}`)
      return input
    case 'claim':
      return readClaim(input, report)
    case 'path':
      return input
    case 'list':
      return readList(form, input, report)
    case 'listen':
      return readListen(input, report)
    case 'host':
      return readHost(input, report)
    case 'origin':
      return readOrigin(input, report)
    case 'network':
      return readNetwork(form, input, report)
    case 'url':
      return readUrl(form, input, report)
    case 'prefix':
      return readPrefix(input, report)
    case 'publicKey':
      return readPublicKey(input, report)
    case 'sharedSecret':
      return readSharedSecret(input, report)
    case 'keys':
      return readKeys(input, report)
  }
}

/** The text that `read` turns into the same value again; empty for undefined. Shows secrets: see print.ts. */
export function write(form: Form, value: unknown): string {
  if (value === undefined) return ''
  if (Array.isArray(value)) return value.length === 0 && form.kind === 'list' && form.none ? 'none' : value.join(',')
  if (form.kind === 'duration') return inUnits(value as number, DURATIONS, '0s', 'ms')
  if (form.kind === 'size') return inUnits(value as number, SIZES, '0', '')
  if (form.kind === 'prefix' && value === '') return '/'
  return String(value).trimEnd().replaceAll('\n', '\\n')
}

const code = (word: string) => `\`${word}\``

const DURATIONS: readonly (readonly [string, number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1000]
]
const SIZES: readonly (readonly [string, number])[] = [
  ['gb', 1024 ** 3],
  ['mb', 1024 ** 2],
  ['kb', 1024]
]

function inUnits(value: number, units: typeof SIZES, zero: string, rest: string): string {
  if (value === 0) return zero
  const unit = units.find(([, factor]) => value % factor === 0)
  return unit ? `${value / unit[1]}${unit[0]}` : `${value}${rest}`
}

const DURATION =
  /^(\d{1,12}(?:\.\d{1,6})?)\s*(?:(ms|milliseconds?)|(s|secs?|seconds?)|(m|mins?|minutes?)|(h|hrs?|hours?)|(d|days?))$/i

/** A bare number is refused (seconds or milliseconds?), but for 0, which is the same in every unit. */
function milliseconds(input: string): number | undefined {
  if (input === '0') return 0
  const match = DURATION.exec(input)
  if (!match) return undefined
  const factor = match[2] ? 1 : match[3] ? 1000 : match[4] ? 60_000 : match[5] ? 3_600_000 : 86_400_000
  return Math.round(Number(match[1]) * factor)
}

function bytes(input: string): number | undefined {
  const match = /^(\d{1,15}(?:\.\d{1,6})?)\s*(?:(b|bytes?)|(ki?b)|(mi?b)|(gi?b))?$/i.exec(input)
  if (!match) return undefined
  const factor = match[3] ? 1024 : match[4] ? 1024 ** 2 : match[5] ? 1024 ** 3 : 1
  return Math.round(Number(match[1]) * factor)
}

function within(form: RangeShape, value: number | undefined, report: Report): number | undefined {
  if (value !== undefined && value >= form.min && value <= form.max) return value
  const range = `from ${write(form, form.min)} to ${write(form, form.max)}`
  if (form.kind === 'integer') report(`must be a whole number ${range}`)
  if (form.kind === 'duration') report(`must be a duration with its unit (\`ms\`, \`s\`, \`m\`, \`h\`, \`d\`) ${range}`)
  if (form.kind === 'size') report(`must be a size (bytes, or with \`kb\`, \`mb\`, \`gb\`) ${range}`)
  return undefined
}

function readList(form: ListShape, input: string, report: Report): unknown[] | undefined {
  if (form.none && input === 'none') return []
  const adds = form.base !== undefined && /^[\s,]*\+/.test(input)
  const whole = adds ? `${form.base},${input}` : input
  const parts = whole.split(form.lines ? /[,\r\n]/ : ',').map(part => part.trim())
  const values = new Set<unknown>()
  let well = true
  for (const part of parts) {
    const word = adds && part.startsWith('+') ? part.slice(1).trim() : part
    if (word === '') continue
    const value = read(form.of, word, (must, inner = word) => {
      well = false
      report(must, inner)
    })
    values.add(value)
  }
  return well ? [...values] : undefined
}

/** A name that reaches into an object by its prototype is none that an identity provider issues. */
function readClaim(input: string, report: Report): string | undefined {
  const steps = input.split('.')
  if (/[^\x21-\x7e]/.test(input) || steps.some(step => step === '')) {
    return report('must be the name of a claim or a dotted path such as `user.id`') as undefined
  }
  if (steps.some(step => ['__proto__', 'prototype', 'constructor'].includes(step))) {
    return report('must not name a property of every object') as undefined
  }
  return input
}
