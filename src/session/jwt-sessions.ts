import { decodeProtectedHeader, errors, type JWTPayload, jwtVerify } from 'jose'
import { BoundedMap } from '../bounded-map.js'
import { HttpError } from '../errors.js'
import { readBearer } from './bearer.js'
import { decodeCookie, findCookie } from './cookies.js'
import { digest } from './digest.js'
import { createHttpGet } from './http-get.js'
import { createJwksSource } from './jwks.js'
import {
  createPublicKeySource,
  createSecretKeySource,
  type KeySource,
  narrow,
  type VerificationKey
} from './jwt-keys.js'
import { ASYMMETRIC } from './key-material.js'
import { Refusals } from './refusals.js'
import type { Session, SessionSource } from './session.js'
import { createPathReader, toUserId } from './user-id.js'

/** What tokens are verified with: exactly one of these. */
export type JwtKey = { secret: string } | { publicKey: string } | { jwksUrl: string }

export interface JwtSessionsOptions {
  /** Name of the cookie that carries the token. */
  cookie: string
  /** Where the user id is: a claim, or a dotted path. */
  userClaim: string
  key: JwtKey
  /** Narrows the algorithms the key allows, where it names any. */
  algorithms: readonly string[]
  /** Any one of these, where there are any. A key set signs for every app of its provider: without them it lets nobody in. */
  issuer: readonly string[]
  audience: readonly string[]
  /** Milliseconds by which clocks may differ. */
  clockSkewMs: number
  userAgent: string
  /** Certificate authorities for the key set, instead of Node's own. */
  ca?: string | Buffer | undefined
  /** Milliseconds since 1970. */
  now?: (() => number) | undefined
  /** Told once when the key set cannot be fetched, and once (undefined) when it can again. */
  onFault?: ((message: string | undefined) => void) | undefined
}

/**
 * The longest token that is looked at: four cookies of 4 KB, half of what all headers may hold together (`maxHeaderSize` in
 * guard/connections.ts). Larger ones do not pass the header limits of common servers either.
 */
export const MAX_TOKEN = 16_384
/** Verified tokens remembered, by digest: about 200 bytes each. */
const MAX_GOOD = 20_000
const BAD_MS = 5_000
/** 1 January 10000: an `exp` beyond is a mistake (milliseconds for seconds) or infinite (1e999), and never expires. */
const MAX_EXP = 253_402_300_800
const JWKS_TIMEOUT_MS = 5_000
const JWKS_MAX_BYTES = 256 * 1024

interface Good {
  userId: string
  /** When `exp` and the skew are over, in milliseconds. */
  until: number
  key: VerificationKey
}

/**
 * Sessions that are signed tokens (RFC 7519, by the rules of RFC 8725): the key decides the algorithms, `exp` and the user
 * claim are required, issuer and audience are checked before anything is remembered.
 * @throws Error about a key that tokens cannot be verified with, which the configuration refuses before
 */
export function createJwtSessions(options: JwtSessionsOptions): SessionSource {
  const { cookie, key, issuer, audience, clockSkewMs, now = Date.now } = options
  const ofSet = 'jwksUrl' in key
  const readUser = createPathReader(options.userClaim)
  const good = new BoundedMap<Good>(MAX_GOOD)
  const bad = new Refusals(BAD_MS)
  const keys = createKeys(options, now, () => bad.clear())
  const allowed = new Set(keys.algorithms)
  const rules = {
    algorithms: [...keys.algorithms],
    requiredClaims: ['exp'],
    clockTolerance: clockSkewMs / 1000,
    ...(ofSet || issuer.length > 0 ? { issuer: [...issuer] } : {}),
    ...(ofSet || audience.length > 0 ? { audience: [...audience] } : {})
  }

  async function verify(token: string, id: string, via: Session['via']): Promise<Session> {
    try {
      const { payload, key } = await verifySignature(token)
      const userId = toUserId(readUser(payload))
      if (userId === undefined) throw new Refused('the user claim is missing or no user id')
      const exp = payload.exp as number
      if (!(exp < MAX_EXP)) throw new Refused('exp is out of range')
      const until = exp * 1000 + clockSkewMs
      good.set(id, { userId, until, key })
      return { userId, via }
    } catch (error) {
      if (error instanceof HttpError) throw error
      const code = error instanceof errors.JWTExpired ? 'SESSION_EXPIRED' : 'SESSION_INVALID'
      const refusal = new HttpError(code, { cause: reason(error) })
      if (isLasting(error)) bad.remember(id, refusal, now())
      throw refusal
    }
  }

  async function verifySignature(token: string): Promise<{ payload: JWTPayload; key: VerificationKey }> {
    const { alg, kid } = readHeader(token)
    if (typeof alg !== 'string' || !allowed.has(alg)) throw new Refused('its algorithm is not allowed')
    if (kid !== undefined && typeof kid !== 'string') throw new Refused('its kid is no string')
    let failure: unknown = new Refused('no key fits it', false)
    for (const key of await keys.find(alg, kid)) {
      try {
        const { payload } = await jwtVerify(token, await key.imported(alg), { ...rules, currentDate: new Date(now()) })
        return { payload, key }
      } catch (error) {
        failure = error
        // Only a token without a kid has several keys to try, and only until its signature fits one.
        if (speaksOfClaims(error)) break
      }
    }
    throw failure
  }

  return {
    readsAuthorization: true,
    identify(headers) {
      const bearer = readBearer(headers.authorization)
      let token: string
      let via: Session['via'] = 'authorization'
      if (bearer !== null) {
        token = bearer
      } else {
        const found = headers.cookie === undefined ? null : findCookie(headers.cookie, cookie)
        if (found === null) return null
        token = decodeCookie(found.value)
        via = 'cookie'
      }
      if (token.length > MAX_TOKEN) throw new HttpError('SESSION_INVALID', { cause: 'token: too long' })

      const id = digest(token)
      const time = now()
      const known = good.get(id)
      if (known !== undefined) {
        if (time < known.until && known.key.live && keys.tend(time)) return { userId: known.userId, via }
        good.delete(id)
      }
      bad.check(id, time)
      return verify(token, id, via)
    },
    check: () => keys.check(),
    close: () => keys.close()
  }
}

function createKeys(options: JwtSessionsOptions, now: () => number, onChange: () => void): KeySource {
  const { key, algorithms, ca, onFault, userAgent } = options
  if ('secret' in key) return createSecretKeySource(key.secret, algorithms)
  if ('publicKey' in key) return createPublicKeySource(key.publicKey, algorithms)
  const fitting = narrow(ASYMMETRIC, algorithms)
  const http = createHttpGet({ timeoutMs: JWKS_TIMEOUT_MS, maxBytes: JWKS_MAX_BYTES, connections: 1, ca })
  return createJwksSource({ url: key.jwksUrl, ...http, algorithms: fitting, userAgent, now, onChange, onFault })
}

/** A token this file itself refuses. */
class Refused extends Error {
  /** Whether it would be refused again in a moment. */
  readonly lasting: boolean
  constructor(why: string, lasting = true) {
    super(why)
    this.lasting = lasting
  }
}

function readHeader(token: string): { alg?: unknown; kid?: unknown } {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) throw new Refused('it is not a signed token')
  try {
    return decodeProtectedHeader(token)
  } catch {
    throw new Refused('its header is broken')
  }
}

function isLasting(error: unknown): boolean {
  if (error instanceof Refused) return error.lasting
  return !(error instanceof errors.JWTClaimValidationFailed && error.claim === 'nbf')
}

/** For the log: jose's own errors carry the claims, which say who the user is. */
function reason(error: unknown): string {
  if (error instanceof Refused) return `token: ${error.message}`
  if (speaksOfClaims(error)) {
    return `token: ${error.claim} ${error.reason}`
  }
  return `token: ${(error as Error).name}`
}

function speaksOfClaims(error: unknown): error is errors.JWTClaimValidationFailed | errors.JWTExpired {
  return error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired
}
