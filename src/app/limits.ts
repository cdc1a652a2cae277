import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Redis } from 'ioredis'
import type { Config } from '../config.js'
import { createLocalLimits, type Limits } from '../guard/limits.js'
import { COUNT_SCRIPT } from '../guard/shared-counts.js'
import { createSharedLimits } from '../guard/shared-limits.js'

/** The rate limits: of this process, and with REDIS_URL over all replicas. */
export async function createLimits(
  config: Config,
  app: FastifyInstance,
  digest: (userId: string) => string,
  redis: Redis | undefined,
  log: FastifyBaseLogger
): Promise<Limits> {
  const settings = {
    window: config.RATE_LIMIT_WINDOW,
    address: config.RATE_LIMIT_IP_MAX,
    userRequests: config.RATE_LIMIT_MAX,
    userEntries: config.RATE_LIMIT_LOGS_MAX,
    anonymousRequests: config.RATE_LIMIT_ANONYMOUS_MAX,
    anonymousEntries: config.RATE_LIMIT_ANONYMOUS_LOGS_MAX
  }
  const local = await createLocalLimits(app, settings)
  if (redis === undefined) return local
  // ioredis sends the script's digest, and its text only to a server that does not know it yet
  redis.defineCommand('logtrailCount', { lua: COUNT_SCRIPT })
  const { logtrailCount } = redis as unknown as Record<string, (...args: (string | number)[]) => Promise<unknown>>
  return createSharedLimits({
    redis: {
      run: (keys, args) => logtrailCount!.call(redis, keys.length, ...keys, ...args),
      ready: () => redis.status === 'ready'
    },
    settings,
    local,
    digest,
    onFallback(reason) {
      if (reason === null) log.info('rate limits are counted over all replicas again')
      else log.error({ reason }, 'rate limits are counted by each replica for itself')
    }
  })
}
