import { parseKey } from '../logtrail/key.js'
import { ASYMMETRIC, algorithmsOf, HMAC, MIN_SHARED_SECRET, readPublic } from '../session/key-material.js'
import type { Findings } from './checks.js'
import type { Name } from './schema.js'
import { isPlaceholder } from './secrets.js'

/** What the chosen mode needs. Where none is told, what is there for tokens is judged too: no fault is to hide another. */
export function checkSession(findings: Findings): void {
  const { values, isSet, fault } = findings
  const mode = values.SESSION_MODE
  const given = KEY_SOURCES.filter(isSet)
  checkSources(findings, given)
  if (mode === undefined || mode === 'jwt') checkJwt(findings, given.length > 1)
  if (mode === 'redis') checkRedis(findings)
  if (mode === 'none') checkNone(findings)
  if (mode === 'forward-auth' && !isSet('SESSION_AUTH_URL')) {
    fault('SESSION_AUTH_URL', `is required with SESSION_MODE=${mode}: the address of the app that knows its sessions`)
  }
  checkTag(findings)
}

/** Of the app's own secrets all replicas have the same; the API key they have as it was when each of them started. */
function checkTag({ values, isSet, warn }: Findings): void {
  const { SESSION_MODE: mode, SESSION_TAG_SECRET: secret } = values
  if (secret && isPlaceholder(secret)) {
    warn(
      'SESSION_TAG_SECRET looks like a placeholder or an example: whoever guesses it can tell users by their tags; make one with `openssl rand -base64 48`, the same for all replicas'
    )
  }
  const keyed = (['SESSION_TAG_SECRET', 'SESSION_JWT_SECRET', 'SESSION_SECRET'] as const).some(isSet)
  if (keyed || !isSet('REDIS_URL') || (mode !== 'jwt' && mode !== 'forward-auth')) return
  warn(
    'SESSION_TAG_SECRET is not set: during a rotation, replicas that started with another API key disagree about who is who: what a browser sends by the tag of the one is refused by the other (401 SESSION_INVALID), and a user is counted twice; make one with `openssl rand -base64 48`, the same for all replicas'
  )
}

const KEY_SOURCES = ['SESSION_JWT_SECRET', 'SESSION_JWT_PUBLIC_KEY', 'SESSION_JWKS_URL'] as const

/** More than one is a fault in any mode: it would be one as soon as the mode is `jwt`. */
function checkSources({ values, fault }: Findings, [source, ...more]: Name[]): void {
  if (source === undefined) {
    if (values.SESSION_MODE !== 'jwt') return
    fault('SESSION_MODE', `must come with one of ${KEY_SOURCES.join(', ')} where it is \`jwt\``)
  } else if (more.length > 0) {
    // With two, a token could choose the weaker: RFC 8725, section 3.1.
    fault(
      source,
      `must be the only source of keys, but ${more.join(' and ')} ${more.length > 1 ? 'are' : 'is'} set too`
    )
  }
}

function checkJwt(findings: Findings, ambiguous: boolean): void {
  const { values, isSet, warn } = findings
  if (isSet('SESSION_JWKS_URL')) {
    requireWithJwks(findings, 'SESSION_JWT_ISSUER', 'what tokens have in `iss`')
    requireWithJwks(findings, 'SESSION_JWT_AUDIENCE', 'what tokens for this app have in `aud`')
  }
  if (!ambiguous) checkAlgorithms(findings)
  // The app may have had it for years, and this proxy has to take what the app signs with: said, not refused.
  if (values.SESSION_JWT_SECRET && isPlaceholder(values.SESSION_JWT_SECRET)) {
    warn(
      'SESSION_JWT_SECRET looks like a placeholder or an example: whoever guesses it can sign in as anybody; make one with `openssl rand -base64 48`, the same for the app and this proxy'
    )
  }
}

/** A key set signs for every app of its provider: only issuer and audience tell whose token it is. */
function requireWithJwks({ isSet, fault }: Findings, name: Name, what: string): void {
  if (!isSet(name)) fault(name, `is required with SESSION_JWKS_URL: ${what}`)
}

function checkAlgorithms({ values, isSet, fault }: Findings): void {
  const chosen: readonly string[] = values.SESSION_JWT_ALGORITHMS ?? []
  const pem = values.SESSION_JWT_PUBLIC_KEY
  const refuse = (able: readonly string[], right: string): void => {
    const wrong = chosen.filter(algorithm => !able.includes(algorithm))
    if (wrong.length > 0) fault('SESSION_JWT_ALGORITHMS', `must be ${right}, not ${wrong.join(', ')}`)
  }
  if (isSet('SESSION_JWT_SECRET')) refuse(HMAC, `${HMAC.join(', ')} with SESSION_JWT_SECRET`)
  if (isSet('SESSION_JWKS_URL')) refuse(ASYMMETRIC, 'algorithms with public keys with SESSION_JWKS_URL')
  if (!pem) return
  const able = algorithmsOf(readPublic(pem))
  refuse(able, `${able.join(', ')} with this SESSION_JWT_PUBLIC_KEY`)
}

function checkRedis({ values, isSet, fault, warn }: Findings): void {
  if (!isSet('SESSION_SECRET')) {
    fault('SESSION_SECRET', "is required with SESSION_MODE=redis: the secret that signs the app's session cookie")
  }
  if (!isSet('SESSION_REDIS_URL') && !isSet('REDIS_URL')) {
    fault(
      'SESSION_REDIS_URL',
      'or REDIS_URL is required with SESSION_MODE=redis: the Redis with the sessions of the app'
    )
  }
  // The app chose them, so they are not refused; who knows one still has to guess a session's id.
  const weak = values.SESSION_SECRET?.some(
    secret => isPlaceholder(secret) || Buffer.byteLength(secret) < MIN_SHARED_SECRET
  )
  if (weak)
    warn(`SESSION_SECRET is a placeholder or shorter than ${MIN_SHARED_SECRET} bytes: the app should have a better one`)
}

/** Without sessions everybody is anonymous: ANONYMOUS says whether that is meant. */
function checkNone({ values, keys, fault, warn }: Findings): void {
  if (values.ANONYMOUS !== 'deny') return
  if (keys.some(key => parseKey(key).environment === 'production')) {
    fault(
      'SESSION_MODE',
      'must not be `none` with a production key: say `jwt`, `forward-auth` or `redis`, or ANONYMOUS=allow if anybody may log'
    )
  } else {
    warn('SESSION_MODE=none: whoever reaches this proxy may log, as anonymous, under the limits for that')
  }
}
