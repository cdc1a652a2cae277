import { Redis, type RedisOptions } from 'ioredis'
import type { Test } from 'tap'
import type { Outbox } from '../../src/outbox/outbox.js'
import type { RedisOutboxEvent } from '../../src/outbox/redis/health.js'
import { createRedisOutbox, type RedisOutboxOptions } from '../../src/outbox/redis.js'
import type { RedisServer } from '../helper/redis.js'

export const PREFIX = '{test}'

export interface Replica {
  outbox: Outbox
  redis: Redis
  events: RedisOutboxEvent[]
  kinds(): string[]
}

/** A client of the server that a file's tests share: empty before each of them, and ended with them. */
export function emptied(t: Test, server: RedisServer): Redis {
  t.teardown(() => server.stop())
  const client = new Redis(server.url)
  t.teardown(() => client.disconnect())
  t.beforeEach(async () => void (await client.flushall()))
  return client
}

/** One replica's outbox in this process, with a connection as `connectRedis` makes it; ended with the test. */
export function replica(t: Test, url: string, more: Partial<RedisOutboxOptions & RedisOptions> = {}): Replica {
  const { commandTimeout = 1000, username, password, ...options } = more
  const redis = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout,
    retryStrategy: () => 50,
    ...(username && { username }),
    ...(password && { password })
  })
  redis.on('error', () => {})
  const events: RedisOutboxEvent[] = []
  const outbox = createRedisOutbox({
    redis,
    prefix: PREFIX,
    maxBytes: 1e9,
    beat: 100,
    lease: 1000,
    report: event => events.push(event),
    close: () => redis.disconnect(),
    ...options
  })
  t.teardown(() => outbox.stop())
  return { outbox, redis, events, kinds: () => events.map(({ kind }) => kind) }
}
