import { createHash, randomBytes } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

export type Environment = 'development' | 'staging' | 'production'
export type KeyType = 'wo' | 'ro' | 'rw'

const FORMAT = /^lt_(development|staging|production)_(wo|ro|rw)_.+$/

/** A fresh key in Logtrail's format. Random, so that a search for it in what left a process cannot match by chance. */
export function makeKey(environment: Environment = 'development', type: KeyType = 'wo'): string {
  return `lt_${environment}_${type}_${randomBytes(24).toString('hex')}`
}

export function readKey(key: string): { environment: Environment; type: KeyType } | undefined {
  const match = FORMAT.exec(key)
  return match ? { environment: match[1] as Environment, type: match[2] as KeyType } : undefined
}

/** What may be shown of a key: eight hex digits of a digest, nothing of the key itself. */
export function fingerprint(key: string): string {
  return createHash('sha256').update(`stand-in ${key}`).digest('hex').slice(0, 8)
}

/** Logtrail takes the key in either header; `X-API-Key` wins where both are sent. */
export function keyOf(headers: IncomingHttpHeaders): string | undefined {
  const direct = headers['x-api-key']
  if (typeof direct === 'string' && direct !== '') return direct
  return /^ApiKey (.+)$/.exec(headers.authorization ?? '')?.[1]
}
