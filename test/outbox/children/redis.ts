/**
 * A replica: appends entries to the queue in Redis without end and says `stored <n> <user>;` as soon as an append has
 * resolved; delivers while it holds the lease, and says `sending <n>;` before it acknowledges. Its numbers begin where it is
 * told; with `quiet` it appends nothing.
 */
import { Redis } from 'ioredis'
import { createRedisOutbox } from '../../../src/outbox/redis.js'
import { say } from './say.js'

const [url, first, lease, what] = process.argv.slice(2) as [string, string, string, string | undefined]
const redis = new Redis(url, {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 1000,
  retryStrategy: () => 100
})
redis.on('error', () => {})
const outbox = createRedisOutbox({
  redis,
  maxBytes: 1e9,
  lease: Number(lease),
  beat: Number(lease) / 5,
  report: ({ kind }) => {
    if (kind === 'sending') say('lease;\n')
  }
})
await outbox.start()
say('started;\n')

const pause = () => new Promise(resolve => setTimeout(resolve, 5))
const user = Number(first) / 1_000_000

async function send(): Promise<void> {
  for (;;) {
    const claimed = await outbox.claim({ entries: 50, bytes: 1e6 })
    if (claimed.length > 0) say(claimed.map(({ body }) => `sending ${JSON.parse(body).n};\n`).join(''))
    void outbox.acknowledge(claimed.map(({ id }) => id))
    await pause()
  }
}

void send()
for (let n = Number(first); what !== 'quiet'; n += 2) {
  const body = (n: number) => ({ user: `u:${user}`, body: JSON.stringify({ n }) })
  try {
    await outbox.append([body(n), body(n + 1)])
    say(`stored ${n} ${user};\nstored ${n + 1} ${user};\n`)
  } catch {
    // Redis is away; told to send again, a browser would.
  }
  await pause()
}
