import type { Environment } from '../logtrail/key.js'
import type { PlanLimits } from '../logtrail/plans.js'
import type { Level } from './schema.js'

/** What Logtrail's plan allows one entry, as it is sent, stamps included. Objects and arrays both count as a level. */
export type EntryLimits = Pick<PlanLimits, 'maxLogBytes' | 'maxDepth' | 'maxTags'>

/** The default of `REDACT_PATTERNS`. */
export const SECRET_PATTERNS = ['logtrail-key', 'jwt', 'card', 'assignment'] as const
export const PATTERNS = [...SECRET_PATTERNS, 'email', 'ip'] as const
export type Pattern = (typeof PATTERNS)[number]

/** The default of `REDACT_FIELDS`; `assignment` masks values of these names whatever `REDACT_FIELDS` says. */
export const SECRET_NAMES = [
  'password',
  'passwd',
  'pwd',
  'passphrase',
  'password_confirmation',
  'secret',
  'token',
  'authorization',
  'api_key',
  'private_key',
  'session_id',
  'cookie',
  'card_number',
  'cvv',
  'ssn'
] as const

export const CONTEXT_STAMPS = ['ip', 'user_agent', 'request_id', 'received_at', 'entry_id'] as const
export type ContextStamp = (typeof CONTEXT_STAMPS)[number]

/** How entries are treated: the values of the variables of the same names, `+` lists already joined with their defaults. */
export interface Rules {
  limits: EntryLimits
  /** Most entries in one bulk request; Infinity for no bound but the body's. */
  maxEntries: number
  /** The key's: an entry that names another is refused. */
  environment: Environment
  stampActor: 'replace' | 'merge' | 'off'
  stampContext: readonly ContextStamp[]
  minLevel: Level | 'none'
  redactFields: readonly string[]
  redactPatterns: readonly Pattern[]
  allowFields: readonly string[]
  dropFields: readonly string[]
  oversize: 'trim' | 'reject'
}

/** Who sends, as the proxy itself knows it. Nothing of it comes from the body. */
export interface Who {
  /** Of the session; absent where there is none. */
  userId?: string | undefined
  ip: string
  userAgent?: string | undefined
  requestId: string
  /** Milliseconds since 1970. */
  receivedAt: number
}
