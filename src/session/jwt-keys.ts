import { createHash, createPublicKey, type KeyObject } from 'node:crypto'
import { type CryptoKey, importJWK, type JWK } from 'jose'

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

const HMAC = ['HS256', 'HS384', 'HS512']
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']
const ED25519 = ['EdDSA', 'Ed25519']
const CURVES: Readonly<Record<string, string>> = { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }

/** What the keys of a set can be good for: asymmetric algorithms alone. */
export const ASYMMETRIC: readonly string[] = [...RSA, ...Object.values(CURVES), ...ED25519]

/** RFC 7518, 3.3, and what jose verifies with. */
const MIN_RSA_BITS = 2048

/**
 * The algorithms of `family` that `wanted` names, all of them when it names none. Throws an Error when it names one of
 * another family: a token's algorithm must never be able to change what a key means.
 */
export function narrow(family: readonly string[], wanted: readonly string[] | undefined): readonly string[] {
  if (wanted === undefined || wanted.length === 0) return family
  const strangers = wanted.filter(algorithm => !family.includes(algorithm))
  if (strangers.length > 0) {
    throw new Error(
      `SESSION_JWT_ALGORITHMS: ${strangers.join(', ')} cannot be verified with this key, which takes ${family.join(', ')}`
    )
  }
  return wanted
}

/** A shared secret of at least 32 bytes, taken as it is. Throws an Error, which never quotes it, when it will not do. */
export function createSecretKeySource(secret: string | Buffer, wanted?: readonly string[]): KeySource {
  const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret
  // The other half of algorithm confusion: what is public must not become the secret.
  if (bytes.includes('-----BEGIN ') || bytes.includes('"kty"')) {
    throw new Error('SESSION_JWT_SECRET: holds a key in PEM or JWK form; give a PEM as SESSION_JWT_PUBLIC_KEY')
  }
  if (bytes.length < 32) {
    throw new Error(
      `SESSION_JWT_SECRET: must be at least 32 bytes long, is ${bytes.length}; \`openssl rand -hex 32\` makes one`
    )
  }
  const algorithms = narrow(HMAC, wanted)
  return fixed(
    toKey('', undefined, algorithms, algorithm =>
      crypto.subtle.importKey('raw', bytes, { name: 'HMAC', hash: `SHA-${algorithm.slice(2)}` }, false, ['verify'])
    ),
    'an HMAC secret'
  )
}

/**
 * A public key or a certificate in PEM; line breaks may be written `\n`, as in .env files. RSA keys take RS and PS
 * algorithms, elliptic ones that of their curve, Ed25519 its own. Throws an Error when it will not do.
 */
export function createPublicKeySource(pem: string, wanted?: readonly string[]): KeySource {
  const jwk = publicJwk(pem.replaceAll('\\n', '\n'))
  const family = algorithmsOf(jwk)
  if (family.length === 0)
    throw new Error(
      'SESSION_JWT_PUBLIC_KEY: keys of this kind are not supported; use RSA, P-256, P-384, P-521 or Ed25519'
    )
  const algorithms = narrow(family, wanted)
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
  const algorithms = algorithmsOf(plain).filter(a => allowed.includes(a) && (alg === undefined || alg === a))
  if (algorithms.length === 0) return undefined
  const id = createHash('sha256')
    .update(JSON.stringify([plain, kid, algorithms]))
    .digest('base64')
  return toKey(id, kid, algorithms, importer(plain))
}

function algorithmsOf({ kty, crv, n }: JWK): readonly string[] {
  if (kty === 'RSA' && typeof n === 'string' && Buffer.from(n, 'base64url').length * 8 >= MIN_RSA_BITS) return RSA
  if (kty === 'EC' && typeof crv === 'string' && Object.hasOwn(CURVES, crv)) return [CURVES[crv] as string]
  if (kty === 'OKP' && crv === 'Ed25519') return ED25519
  return []
}

function publicJwk(pem: string): JWK {
  if (pem.includes('PRIVATE KEY-----')) {
    throw new Error('SESSION_JWT_PUBLIC_KEY: holds a private key, which only the app may have; give its public half')
  }
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    throw new Error(
      'SESSION_JWT_PUBLIC_KEY: is not a public key or certificate in PEM form (-----BEGIN PUBLIC KEY-----)'
    )
  }
  if (key.asymmetricKeyType === 'rsa' && Number(key.asymmetricKeyDetails?.modulusLength) < MIN_RSA_BITS) {
    throw new Error(`SESSION_JWT_PUBLIC_KEY: RSA keys must have at least ${MIN_RSA_BITS} bits`)
  }
  try {
    return key.export({ format: 'jwk' }) as JWK
  } catch {
    return { kty: String(key.asymmetricKeyType) }
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
