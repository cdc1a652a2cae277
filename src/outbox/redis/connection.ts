import type { Redis, RedisOptions } from 'ioredis'

/** Nothing is asked twice behind the back of whoever asked. @param url redis:// or rediss:// */
export async function createClient(url: string, options: RedisOptions): Promise<Redis> {
  // by its default: of a CommonJS package that a bundle loads late there are no other names
  const { Redis: Client } = (await import('ioredis')).default
  return new Client(url, {
    maxRetriesPerRequest: 0,
    ...options,
    // NODE_TLS_REJECT_UNAUTHORIZED=0 would turn verification off for everything that does not say so
    ...(url.startsWith('rediss:') ? { tls: { rejectUnauthorized: true } } : {})
  })
}

/**
 * A connection that asks a few things and is not made again once it is gone.
 * @param timeouts milliseconds
 * @throws what the server or the network said, and not "Connection is closed."
 */
export async function openOnce(
  url: string,
  timeouts: Required<Pick<RedisOptions, 'connectTimeout' | 'commandTimeout'>>
): Promise<Redis> {
  const redis = await createClient(url, { lazyConnect: true, retryStrategy: () => null, ...timeouts })
  let cause: Error | undefined
  redis.on('error', error => {
    cause ??= error
  })
  try {
    await redis.connect()
  } catch (error) {
    redis.disconnect()
    throw cause ?? error
  }
  return redis
}
