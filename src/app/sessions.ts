import type { Config } from '../config.js'
import { createJwtSessions } from '../session/jwt-sessions.js'
import { createNoSessions, type SessionSource } from '../session/session.js'

/** The source of sessions that SESSION_MODE names. @param onFault told when it cannot answer, and (undefined) when it can again */
export function createSessions(
  config: Config,
  userAgent: string,
  onFault: (message: string | undefined) => void
): SessionSource {
  if (config.SESSION_MODE === 'none') return createNoSessions()
  const key = config.SESSION_JWT_SECRET
    ? { secret: config.SESSION_JWT_SECRET }
    : config.SESSION_JWT_PUBLIC_KEY
      ? { publicKey: config.SESSION_JWT_PUBLIC_KEY }
      : { jwksUrl: config.SESSION_JWKS_URL! }
  return createJwtSessions({
    cookie: config.SESSION_COOKIE,
    userClaim: config.SESSION_USER_CLAIM,
    key,
    algorithms: listed(config.SESSION_JWT_ALGORITHMS),
    issuer: listed(config.SESSION_JWT_ISSUER),
    audience: listed(config.SESSION_JWT_AUDIENCE),
    clockSkewMs: config.SESSION_JWT_CLOCK_SKEW,
    userAgent,
    onFault
  })
}

/** An empty list is one that was not set. */
function listed(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values
}
