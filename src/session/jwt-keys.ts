import { createHash, createPublicKey, type JsonWebKey } from 'node:crypto'
import { type CryptoKey, importJWK, type JWK } from 'jose'
import { algorithmsOf, HMAC, readPublic, readSecret } from './key-material.js'

/** A key that tokens are verified with, good for the algorithms of its own kind alone (RFC 8725, 3.1). */
export interface VerificationKey {
  /** Tells this key from others: a digest of it and of what it may be used for. */
  readonly id: string
  readonly kid: string | undefined
  readonly algorithms: readonly string[]
  /** False once the key has left its set: what it vouched for is no longer believed. */
  live: boolean
  /** The key for one of its algorithms, imported once. */
  imported(algorithm: string): Promise<CryptoKey>
}

/** Where keys come from. */
export interface KeySource {
  /** Every algorithm a token may name. */
  readonly algorithms: readonly string[]
  /**
   * Tells the source that its keys are being relied on, so that it looks after them. False when nobody looked for so long
   * that they have to be looked at (by `find`) before anything is believed.
   */
  tend(time: number): boolean
  /** Keys that may have signed a token with this header, whose algorithm is one of `algorithms`; rejects with SESSION_UNAVAILABLE when that cannot be told. */
  find(algorithm: string, kid: string | undefined): Promise<readonly VerificationKey[]>
  check(): Promise<{ ok: boolean; message: string }>
  close(): Promise<void>
}

/**
 * The algorithms of `family` that `wanted` names, all of them when it names none. What is of another family has no part in
 * it: a token's algorithm must never be able to change what a key means.
 */
export function narrow(family: readonly string[], wanted: readonly string[]): readonly string[] {
  return wanted.length === 0 ? family : family.filter(algorithm => wanted.includes(algorithm))
}

/**
 * A shared secret.
 * @throws Error as readSecret does
 */
export function createSecretKeySource(secret: string, wanted: readonly string[]): KeySource {
  const bytes = readSecret(secret)
  const algorithms = narrow(HMAC, wanted)
  return fixed(
    toKey('', undefined, algorithms, algorithm =>
      crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` }, false, ['verify'])
    ),
    'an HMAC secret'
  )
}

/**
 * A public key in PEM.
 * @throws Error as readPublic does
 */
export function createPublicKeySource(pem: string, wanted: readonly string[]): KeySource {
  const key = readPublic(pem)
  const jwk = key.export({ format: 'jwk' }) as JWK
  const algorithms = narrow(algorithmsOf(key), wanted)
  return fixed(toKey('', undefined, algorithms, importer(jwk)), `a public key (${jwk.crv ?? jwk.kty})`)
}

/** A key of a set, for those of `allowed` it fits by `kty`, `crv`, `use`, `key_ops` and `alg`; undefined if for none. */
export function fromSet(jwk: unknown, allowed: readonly string[]): VerificationKey | undefined {
  if (typeof jwk !== 'object' || jwk === null) return undefined
  const { kty, crv, n, e, x, y, alg, use, key_ops, kid, d } = jwk as Record<string, unknown>
  // A published private key verifies nothing any more.
  if (d !== undefined || (use !== undefined && use !== 'sig')) return undefined
  if (key_ops !== undefined && !(Array.isArray(key_ops) && key_ops.includes('verify'))) return undefined
  if (kid !== undefined && typeof kid !== 'string') return undefined
  const plain = { kty, crv, n, e, x, y } as JWK
  const algorithms = algorithmsOfJwk(plain).filter(a => allowed.includes(a) && (alg === undefined || alg === a))
  if (algorithms.length === 0) return undefined
  const id = createHash('sha256')
    .update(JSON.stringify([plain, kid, algorithms]))
    .digest('base64')
  return toKey(id, kid, algorithms, importer(plain))
}

function algorithmsOfJwk(jwk: JWK): readonly string[] {
  try {
    return algorithmsOf(createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }))
  } catch {
    // It is no public key at all: a secret, a kind that Node.js does not know, a member that is missing or broken.
    return []
  }
}

function importer(jwk: JWK): (algorithm: string) => Promise<CryptoKey> {
  return algorithm => importJWK(jwk, algorithm) as Promise<CryptoKey>
}

function toKey(
  id: string,
  kid: string | undefined,
  algorithms: readonly string[],
  load: (algorithm: string) => Promise<CryptoKey>
): VerificationKey {
  const imported = new Map<string, Promise<CryptoKey>>()
  return {
    id,
    kid,
    algorithms,
    live: true,
    imported(algorithm) {
      let key = imported.get(algorithm)
      if (key === undefined) {
        key = load(algorithm)
        imported.set(algorithm, key)
      }
      return key
    }
  }
}

function fixed(key: VerificationKey, name: string): KeySource {
  const { algorithms } = key
  return {
    algorithms,
    tend: () => true,
    find: async () => [key],
    check: async () => ({ ok: true, message: `tokens are verified with ${name}: ${algorithms.join(', ')}` }),
    close: async () => {}
  }
}
