import t from 'tap'
import { rest } from './fake-clock.js'
import { createPool, failure } from './pool.js'
import { answer, refused, taken, timedOut } from './upstream.js'

/** Checks at every look that received = delivered + waiting + rejected. */
async function createBooks(options: Parameters<typeof createPool>[0] = {}) {
  const pool = await createPool(options)
  const { deliver, books, outbox } = pool
  let received = 0
  return {
    ...pool,
    deliver(user: string, ids: string[]) {
      received += ids.length
      return deliver(user, ids)
    },
    balance(when: string, now: { delivered: number; waiting: number; rejected: number }) {
      t.match({ ...books, waiting: outbox.stats().waiting }, now, when)
      t.equal(books.delivered + books.rejected + outbox.stats().waiting, received, `${when}: the books balance`)
    }
  }
}

const ENDS = {
  'taken after all': () => taken(),
  refused: () => refused(),
  'a fault': () => answer(500),
  'a 429': () => answer(429, '', { retryAfter: '60' }),
  'no answer': () => timedOut()
}

for (const [name, end] of Object.entries(ENDS)) {
  t.test(`a request that hangs beyond POOL_TIMEOUT, and then: ${name}`, async t => {
    const { clock, upstream, deliver, balance, outbox } = await createBooks()
    let settle: (value: ReturnType<typeof answer> | Promise<never>) => void = () => {}
    upstream.respond = () =>
      new Promise(resolve => {
        settle = resolve
      })
    const gone = failure(deliver('ann', ['a', 'b']))
    await clock.advance(10)
    balance('under way', { delivered: 0, waiting: 2, rejected: 0 })
    await clock.advance(10_000)
    const behind = deliver('ann', ['c'])
    await clock.advance(4000)
    t.equal(upstream.requests.length, 1, 'in order, as long as somebody waits')
    balance('and one behind it', { delivered: 0, waiting: 3, rejected: 0 })
    upstream.respond = () => taken()
    await clock.advance(1200)
    t.match(await gone, { code: 'UPSTREAM_TIMEOUT' })
    t.strictSame(await behind, { accepted: 1 }, 'who came later need not hang with it')
    balance('given up', { delivered: 1, waiting: 0, rejected: 2 })
    t.match(outbox.stats(), { claimed: 0, bytes: 0 })
    const outcome = end()
    settle(outcome instanceof Error ? Promise.reject(outcome) : outcome)
    await rest()
    balance('it has ended', { delivered: 1, waiting: 0, rejected: 2 })
    await clock.advance(90_000)
    t.equal(upstream.requests.length, 2, 'and is not sent again')
    balance('in the end', { delivered: 1, waiting: 0, rejected: 2 })
  })
}

t.test('a request whose entries go one by one', async () => {
  const { clock, upstream, deliver, balance } = await createBooks({ maxBatch: 1 })
  const replies = [taken(), refused(), taken(), answer(500)]
  upstream.respond = () => new Promise(resolve => clock.setTimeout(() => resolve(replies.shift() ?? answer(500)), 1000))
  const late = failure(deliver('ann', ['a', 'b', 'c', 'd']))
  await clock.advance(500)
  balance('none yet', { delivered: 0, waiting: 4, rejected: 0 })
  await clock.advance(1000)
  balance('one taken', { delivered: 1, waiting: 3, rejected: 0 })
  await clock.advance(1000)
  balance('one refused', { delivered: 1, waiting: 2, rejected: 1 })
  await clock.advance(1000)
  balance('another taken', { delivered: 2, waiting: 1, rejected: 1 })
  await clock.advance(12_000)
  await late
  balance('one given up', { delivered: 2, waiting: 0, rejected: 2 })
})
