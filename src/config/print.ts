import type { Config } from '../config.js'
import { parseKey } from '../logtrail/key.js'
import { write } from './forms.js'
import { NAMES, type Name, variable } from './schema.js'

/**
 * The effective configuration, a line for each variable: `NAME=value  # source`. What is not masked is written as it could
 * stand in `.env`.
 */
export function printConfig(config: Config): string {
  return NAMES.map(name => `${name}=${quote(shown(config, name))}  # ${config.sources[name]}\n`).join('')
}

/** The same as JSON, as much masked: lists as arrays, durations and sizes with their units, what is unset as null. */
export function configJson(config: Config): Record<string, { value: unknown; source: string }> {
  const entries = NAMES.map(name => [name, { value: plainValue(config, name), source: config.sources[name] }] as const)
  return Object.fromEntries(entries)
}

/** Every value that must not be seen, for masking what is written elsewhere. */
export function secretsOf(config: Config): string[] {
  const values = NAMES.filter(name => variable(name).secret).flatMap(
    name => config[name] as string | string[] | undefined
  )
  return values.filter(value => value !== undefined)
}

function plainValue(config: Config, name: Name): unknown {
  const value = config[name]
  const { secret, form } = variable(name)
  if (value === undefined) return null
  return secret || WRITTEN.includes(form.kind) ? shown(config, name) : value
}

/** Forms whose value is no text that could stand in `.env`, or is not to be seen whole. */
const WRITTEN: readonly string[] = ['duration', 'size', 'url']

function shown(config: Config, name: Name): string {
  const value = config[name]
  const { secret, form } = variable(name)
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return write(form, value)
  if (form.kind === 'url') return secret ? maskUrl(value as string) : maskQuery(value as string)
  if (!secret) return write(form, value)
  if (form.kind === 'keys') return config.LOGTRAIL_API_KEY.map(maskKey).join(',')
  return MASK
}

const MASK = '****'

function maskKey(key: string): string {
  const { environment, type, fingerprint } = parseKey(key)
  return `${MASK}(${environment}/${type}/${fingerprint})`
}

/** Where it is may be seen. Not the user, nor the query, which ioredis reads options from, the password among them. */
function maskUrl(address: string): string {
  const { protocol, host, pathname } = new URL(address)
  return `${protocol}//${MASK}@${host}${pathname}`
}

/** An address that holds no user: whoever asks it may be let in by what its query says (`?key=…`), or is (`?…`). */
function maskQuery(address: string): string {
  const [place, query] = address.split(/\?(.*)/s, 2) as [string, string?]
  if (query === undefined) return address
  const parts = query
    .split('&')
    .map(part => (part.includes('=') ? `${part.slice(0, part.indexOf('='))}=${MASK}` : MASK))
  return `${place}?${parts.join('&')}`
}

function quote(text: string): string {
  if (!/[\s#'"`]/.test(text)) return text
  return text.includes("'") ? `"${text}"` : `'${text}'`
}
