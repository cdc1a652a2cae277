import { inspect } from 'node:util'
import type { Redis } from 'ioredis'
import type { Program } from '../helper/proxy.js'

const QUEUE = '{logtrail-bff:queue}'

/** All that replicas and their Redis tell of a queue, for a test that waited for it in vain. */
export async function stateOf(programs: readonly Program[], redis: Redis): Promise<string> {
  const asked = async (what: Promise<unknown>) => what.catch(String)
  const waiting = `${QUEUE}:waiting`
  const replicas = programs.map(async ({ get, lines }) => ({
    status: await asked(get('/status').then(({ body: { limits, ...status } }) => status)),
    metrics: await asked(get('/metrics').then(({ text }) => text.match(/^logtrail_bff_(?!.*_bucket).*$/gm))),
    lines: lines.filter(line => !line.includes('"msg":"request')).slice(-20)
  }))
  const state = {
    replicas: await Promise.all(replicas),
    redis: {
      books: await asked(redis.hgetall(`${QUEUE}:books`)),
      lease: await asked(redis.get(`${QUEUE}:lease`)),
      leaseMs: await asked(redis.pttl(`${QUEUE}:lease`)),
      waiting: await asked(redis.xlen(waiting)),
      pending: await asked(redis.xpending(waiting, 'senders')),
      groups: await asked(redis.xinfo('GROUPS', waiting)),
      first: await asked(redis.xrange(waiting, '-', '+', 'COUNT', 3)),
      dead: await asked(redis.xlen(`${QUEUE}:dead`)),
      accounts: await asked(redis.hgetall(`${QUEUE}:accounts`)),
      slow: await asked(redis.slowlog('GET', '5'))
    }
  }
  return inspect(state, { depth: 8, maxArrayLength: 200, breakLength: 160 })
}
