import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config.js'
import { createNoSessions, type SessionSource } from '../session/session.js'
import { createSessionTagger } from '../session/tag.js'
import { USER_AGENT } from '../version.js'
import { closeRedis, connectRedis, writeTogether } from './redis.js'

/** The source of sessions that SESSION_MODE names. The others are not even loaded: that halves the time of a start. */
export async function createSessions(config: Config, log: FastifyBaseLogger): Promise<SessionSource> {
  switch (config.SESSION_MODE) {
    case 'none':
      return createNoSessions()
    case 'jwt':
      return jwt(config, log)
    case 'forward-auth':
      return forwardAuth(config)
    case 'redis':
      return redisStore(config, log)
  }
}

async function forwardAuth(config: Config): Promise<SessionSource> {
  const { createForwardAuthSessions } = await import('../session/forward-auth-sessions.js')
  return createForwardAuthSessions({
    url: config.SESSION_AUTH_URL!,
    cookie: config.SESSION_COOKIE,
    userHeader: config.SESSION_AUTH_USER_HEADER,
    userClaim: config.SESSION_USER_CLAIM,
    timeoutMs: config.SESSION_AUTH_TIMEOUT,
    cacheMs: config.SESSION_AUTH_CACHE,
    userAgent: USER_AGENT
  })
}

async function jwt(config: Config, log: FastifyBaseLogger): Promise<SessionSource> {
  const { createJwtSessions } = await import('../session/jwt-sessions.js')
  const { SESSION_JWT_SECRET: secret, SESSION_JWT_PUBLIC_KEY: publicKey, SESSION_JWKS_URL: jwksUrl } = config
  return createJwtSessions({
    cookie: config.SESSION_COOKIE,
    userClaim: config.SESSION_USER_CLAIM,
    key: secret ? { secret } : publicKey ? { publicKey } : { jwksUrl: jwksUrl! },
    algorithms: config.SESSION_JWT_ALGORITHMS,
    issuer: config.SESSION_JWT_ISSUER,
    audience: config.SESSION_JWT_AUDIENCE,
    clockSkewMs: config.SESSION_JWT_CLOCK_SKEW,
    userAgent: USER_AGENT,
    onFault(message) {
      if (message === undefined) log.info('the key set of sessions can be fetched again')
      else log.error({ reason: message }, 'the key set of sessions cannot be fetched')
    }
  })
}

async function redisStore(config: Config, log: FastifyBaseLogger): Promise<SessionSource> {
  const { createRedisSessions } = await import('../session/redis-sessions.js')
  const redis = writeTogether(await connectRedis(config.SESSION_REDIS_URL!, 'sessions', log))
  const sessions = createRedisSessions({
    redis,
    cookie: config.SESSION_COOKIE,
    secrets: config.SESSION_SECRET,
    prefix: config.SESSION_REDIS_PREFIX,
    userClaim: config.SESSION_USER_CLAIM
  })
  return {
    ...sessions,
    async close() {
      await sessions.close()
      closeRedis(redis)
    }
  }
}

/** What `X-Session-Tag` is made with, the same over all replicas: a secret of its own, or the best that every one of them has. */
export function createTagger(config: Config): (userId: string) => string {
  return createSessionTagger(
    config.SESSION_TAG_SECRET ??
      config.SESSION_JWT_SECRET ??
      config.SESSION_SECRET.at(-1) ??
      config.LOGTRAIL_API_KEY[0]!
  )
}
