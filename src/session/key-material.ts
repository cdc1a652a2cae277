import { type AsymmetricKeyDetails, createPublicKey, type KeyObject } from 'node:crypto'

/**
 * What a token may be verified with, decided here alone: the configuration refuses by it, the sessions verify by it. A key
 * means the algorithms of its own kind and no others, whatever a token says (RFC 8725, section 3.1).
 */

const RSA_PSS = ['PS256', 'PS384', 'PS512'] as const
const RSA = ['RS256', 'RS384', 'RS512', ...RSA_PSS] as const
const ED25519 = ['EdDSA', 'Ed25519'] as const
/** By the names that OpenSSL gives the curves. */
const CURVES = { prime256v1: ['ES256'], secp384r1: ['ES384'], secp521r1: ['ES512'] } as const

/** What a shared secret can verify. */
export const HMAC = ['HS256', 'HS384', 'HS512'] as const
/** What public keys can: all that those of a set may be good for. */
export const ASYMMETRIC = [...RSA, ...CURVES.prime256v1, ...CURVES.secp384r1, ...CURVES.secp521r1, ...ED25519] as const

/** RFC 7518, section 3.2: a key as long as the hash, which is 32 bytes for the shortest. */
export const MIN_SHARED_SECRET = 32
/** RFC 7518, section 3.3, and what jose verifies with. */
const MIN_RSA_BITS = 2048

/**
 * The algorithms a public key can verify (RFC 7518, section 3.1; RFC 9864); none for a key that is too weak or of another
 * kind. A key marked RSA-PSS is of another kind: neither a JWK nor Web Crypto in Node.js can hold one. The same algorithms
 * are verified with a plain RSA key.
 */
export function algorithmsOf(key: KeyObject): readonly string[] {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails as AsymmetricKeyDetails
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength < MIN_RSA_BITS || hasBrokenExponent(key) ? [] : RSA
    case 'ec':
      return Object.hasOwn(CURVES, namedCurve) ? CURVES[namedCurve as keyof typeof CURVES] : []
    case 'ed25519':
      return ED25519
    default:
      return []
  }
}

/**
 * RFC 8017, section 3.1: odd and from 3 on. OpenSSL takes a key with any other: with 1 it believes a signature that anybody can
 * write, with the rest none at all.
 */
function hasBrokenExponent(key: KeyObject): boolean {
  const { publicExponent } = key.asymmetricKeyDetails as AsymmetricKeyDetails
  return publicExponent !== undefined && (publicExponent < 3n || publicExponent % 2n === 0n)
}

/**
 * The bytes of a shared secret, taken as it is.
 * @throws Error that says what it must be and never quotes it
 */
export function readSecret(text: string): Buffer {
  // The other half of algorithm confusion: what is public must not become the secret.
  if (text.includes('-----BEGIN ')) {
    throw new Error('must be a shared secret: a PEM public key belongs in SESSION_JWT_PUBLIC_KEY')
  }
  if (text.includes('"kty"')) {
    throw new Error('must be the shared secret itself: this is a key in JWK form, which holds it encoded, as `k`')
  }
  const bytes = Buffer.from(text)
  if (bytes.length < MIN_SHARED_SECRET) {
    throw new Error(
      `must be at least ${MIN_SHARED_SECRET} bytes long (it is ${bytes.length}): shorter ones can be guessed from a token`
    )
  }
  return bytes
}

/**
 * A public key that tokens can be verified with, of whatever PEM it is in (SPKI, PKCS #1, a certificate), its line breaks
 * real or written `\n`. Its lines may be indented, as in the file that it was copied from: OpenSSL takes no such ends.
 * @throws Error that says what it must be
 */
export function readPublic(text: string): KeyObject {
  const pem = (text.includes('\n') ? text : text.replaceAll('\\n', '\n')).replaceAll(/^[ \t]+/gm, '')
  if (pem.includes('PRIVATE KEY')) {
    throw new Error(
      'must be the public key: this is a private one, which has no business here and should be replaced if it was shared'
    )
  }
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    throw new Error('must be a public key in PEM (`-----BEGIN PUBLIC KEY-----`), its line breaks real or written `\\n`')
  }
  if (algorithmsOf(key).length === 0) {
    throw new Error(
      `must be an RSA key of ${MIN_RSA_BITS} bits or more, an EC key on P-256, P-384 or P-521, or an Ed25519 key${whyNot(key)}`
    )
  }
  return key
}

function whyNot(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa-pss') {
    return `; this one is marked for RSA-PSS alone, and a plain RSA key verifies ${RSA_PSS.join(', ')} too`
  }
  return hasBrokenExponent(key) ? '; the exponent of this one is broken: it was changed, or never was a key' : ''
}
