import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'
import { HttpError } from '../../src/errors.js'
import { createJwtSessions, type JwtSessionsOptions } from '../../src/session/jwt-sessions.js'
import type { Session, SessionSource } from '../../src/session/session.js'

/** 2026-01-01T00:00:00Z: the clock of these tests, in milliseconds. */
export const NOW = 1_767_225_600_000
export const SECONDS = NOW / 1000

export const secret = 'a-shared-secret-of-more-than-32-bytes!!'
export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const ed25519 = generateKeyPairSync('ed25519')
export const pemOf = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }).toString()

export const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

export const hs =
  (key: string | Buffer = secret, hash = 'sha256') =>
  (input: string) =>
    createHmac(hash, key).update(input).digest('base64url')

export const asymmetric =
  (key: KeyObject, hash: string | null = 'sha256', options: object = {}) =>
  (input: string) =>
    signBytes(hash, Buffer.from(input), { key, dsaEncoding: 'ieee-p1363', ...options }).toString('base64url')

/** What the configuration gives where nothing but the key is set. */
export const jwtSessions = (options: Partial<JwtSessionsOptions> & Pick<JwtSessionsOptions, 'key'>) =>
  createJwtSessions({
    cookie: 'session',
    userClaim: 'sub',
    algorithms: [],
    issuer: [],
    audience: [],
    clockSkewMs: 30_000,
    userAgent: 'test/1',
    now: () => NOW,
    ...options
  })

/** A token made by hand, so that it can be made wrong: no library in between refuses. */
export function forge(header: unknown, payload: unknown, sign: (input: string) => string = hs()): string {
  const input = `${encode(header)}.${encode(payload)}`
  return `${input}.${sign(input)}`
}

export const HS256 = { alg: 'HS256', typ: 'JWT' }
export const claims = (more: object = {}) => ({ sub: 'ada', exp: SECONDS + 600, ...more })

/** A token as an app makes it. */
export const honest = (more: object = {}) => forge(HS256, claims(more))

export const bearer = (token: string) => ({ authorization: `Bearer ${token}` })

/** What identify came to: the session, null, or the code of its refusal. */
export async function outcome(
  source: SessionSource,
  headers: Parameters<SessionSource['identify']>[0]
): Promise<Session | null | string> {
  try {
    return await source.identify(headers)
  } catch (error) {
    if (!(error instanceof HttpError)) throw error
    return error.code
  }
}

export async function refusal(
  source: SessionSource,
  headers: Parameters<SessionSource['identify']>[0]
): Promise<HttpError> {
  try {
    await source.identify(headers)
  } catch (error) {
    if (error instanceof HttpError) return error
    throw error
  }
  throw new Error('let in')
}
