/**
 * A replica that keeps books: it appends entries, one user's after the other, sends while it holds the lease, and buries every
 * tenth entry whenever it meets it. Its parent says `quiet` (append no more), `books` (say them) or `stop`.
 */
import { Redis } from 'ioredis'
import { createRedisOutbox } from '../../../src/outbox/redis.js'

export interface Books {
  stored: number
  inherited: number
  delivered: number
  dead_letter: number
}

const [url, first, lease] = process.argv.slice(2) as [string, string, string]
const redis = new Redis(url, {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  commandTimeout: 300,
  retryStrategy: () => 50
})
redis.on('error', () => {})
const books: Books = { stored: 0, inherited: 0, delivered: 0, dead_letter: 0 }
const outbox = createRedisOutbox({
  redis,
  maxBytes: 1e9,
  lease: Number(lease),
  beat: Number(lease) / 5,
  count(what, entries) {
    books[what] += entries
  },
  close: () => redis.disconnect()
})
let quiet = false
let stopped = false
process.on('message', async (what: 'quiet' | 'books' | 'stop') => {
  if (what === 'quiet') quiet = true
  if (what === 'books') process.send!(books)
  if (what !== 'stop') return
  quiet = stopped = true
  await outbox.stop()
  process.exit()
})
books.inherited += (await outbox.start()).inherited
process.send!('started')

const pause = () => new Promise(resolve => setTimeout(resolve, 5))

async function send(): Promise<void> {
  while (!stopped) {
    const claimed = await outbox.claim({ entries: 50, bytes: 1e6 })
    const bad = claimed.filter(({ body }) => JSON.parse(body).n % 10 === 0)
    void outbox.acknowledge(claimed.filter(each => !bad.includes(each)).map(({ id }) => id))
    try {
      await outbox.bury(bad.map(({ id }) => ({ id, reason: { code: 'BAD', message: 'bad' } })))
    } catch {
      await outbox.release(bad.map(({ id }) => id))
    }
    await pause()
  }
}

void send()
for (let n = Number(first); !quiet; n += 2) {
  try {
    await outbox.append([n, n + 1].map(n => ({ user: `u:${first}`, body: JSON.stringify({ n }) })))
    books.stored += 2
  } catch {
    // Told no, a browser would send them again; Redis may have them all the same.
  }
  await pause()
}
