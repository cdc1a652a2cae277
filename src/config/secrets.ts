import { type AsymmetricKeyDetails, createPublicKey, type KeyObject } from 'node:crypto'
import { parseKey, splitKeys } from '../logtrail/key.js'
import type { Report } from './forms.js'

/** Keys of Logtrail: the reasons are key.ts's, which name no part of a key. */
export function readKeys(input: string, report: Report): string[] | undefined {
  const keys = splitKeys(input)
  let well = true
  for (const key of keys) {
    try {
      parseKey(key)
    } catch (error) {
      well = false
      report((error as Error).message)
    }
  }
  return well ? keys : undefined
}

/** RFC 7518, section 3.2: a key as long as the hash, which is 32 bytes for the shortest. */
export const MIN_SHARED_SECRET = 32

export function readSharedSecret(input: string, report: Report): string | undefined {
  const length = Buffer.byteLength(input)
  if (/-----BEGIN /.test(input)) {
    report('must be a shared secret: a PEM public key belongs in SESSION_JWT_PUBLIC_KEY')
  } else if (length < MIN_SHARED_SECRET) {
    report(
      `must be at least ${MIN_SHARED_SECRET} bytes long (it is ${length}): shorter ones can be guessed from a token`
    )
  } else {
    return input
  }
  return undefined
}

/** Words that documentation and examples use for a secret, and texts of hardly any variety. */
export function isPlaceholder(secret: string): boolean {
  const words =
    /change[\s_-]?(me|this|it)|replace[\s_-]?(me|this|with)|placeholder|example|keyboard[\s_-]?cat|your[\s_-].*(secret|key)|(super|very|some|top)[\s_-]?secret|a[\s_-]string[\s_-]secret|at[\s_-]least[\s_-](32|256)|^<.*>$|^\$\{.*\}$/i
  return words.test(secret) || (secret.length >= 16 && new Set(secret).size <= 6)
}

/**
 * A public key for verifying tokens, as SPKI PEM whatever PEM it came in (a certificate, PKCS #1), with real line breaks
 * where the environment could only hold `\n`.
 */
export function readPublicKey(input: string, report: Report): string | undefined {
  const pem = input.includes('\n') ? input : input.replaceAll('\\n', '\n')
  if (/PRIVATE KEY/.test(pem)) {
    report(
      'must be the public key: this is a private one, which has no business here and should be replaced if it was shared'
    )
    return undefined
  }
  let key: KeyObject
  try {
    key = createPublicKey(pem)
  } catch {
    report('must be a public key in PEM (`-----BEGIN PUBLIC KEY-----`), its line breaks real or written `\\n`')
    return undefined
  }
  if (algorithmsOf(key).length === 0) {
    report('must be an RSA key of 2048 bits or more, an EC key on P-256, P-384 or P-521, or an Ed25519 key')
    return undefined
  }
  return key.export({ type: 'spki', format: 'pem' }) as string
}

export const HMAC_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
const RSA_PSS = ['PS256', 'PS384', 'PS512']
const CURVES: Record<string, string[]> = { prime256v1: ['ES256'], secp384r1: ['ES384'], secp521r1: ['ES512'] }

/** The algorithms a public key can verify (RFC 7518, section 3.1; RFC 9864); none for a key that is too weak or unknown. */
export function algorithmsOf(key: KeyObject): string[] {
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails as AsymmetricKeyDetails
  switch (key.asymmetricKeyType) {
    case 'rsa':
      return modulusLength < 2048 ? [] : ['RS256', 'RS384', 'RS512', ...RSA_PSS]
    case 'rsa-pss':
      return modulusLength < 2048 ? [] : RSA_PSS
    case 'ec':
      return CURVES[namedCurve] ?? []
    case 'ed25519':
      return ['EdDSA', 'Ed25519']
    default:
      return []
  }
}
