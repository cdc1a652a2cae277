import { Redis } from 'ioredis'
import t from 'tap'
import type { Outbox } from '../../src/outbox/outbox.js'
import { createRedisOutbox } from '../../src/outbox/redis.js'
import { startRedis } from '../helper/redis.js'
import { behaves } from './behaviour.js'

const redis = await startRedis()
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.teardown(() => redis.stop())
  let places = 0
  behaves(t, {
    durable: true,
    place: t => {
      const prefix = `{test:${++places}}`
      return async ({ now = Date.now, room = 1_000_000 } = {}): Promise<Outbox> => {
        const client = new Redis(redis.url, { enableOfflineQueue: false, commandTimeout: 5000 })
        const outbox = createRedisOutbox({
          redis: client,
          prefix,
          maxBytes: room * 180,
          now,
          close: () => client.disconnect()
        })
        t.teardown(() => outbox.stop())
        await outbox.start()
        return outbox
      }
    }
  })
}
