import t from 'tap'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { simulate, TIMEOUT } from './bad-times.js'
import { rest } from './fake-clock.js'
import { namings } from './naming.js'
import { createRandom } from './random.js'
import { createRig } from './rig.js'
import { answer, taken } from './upstream.js'

t.test('a 429 that comes while entries are being claimed holds them back, and nothing else', async t => {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  let claimed = () => {}
  let slow = false
  const outbox: Outbox = {
    ...memory,
    async claim(max) {
      if (slow) await new Promise<void>(resolve => (claimed = resolve))
      return memory.claim(max)
    }
  }
  const { clock, upstream, append, start, delivered, faults } = createRig({ outbox })
  let limit = () => {}
  upstream.respond = () =>
    new Promise(resolve => {
      limit = () => resolve(answer(429, {}, { retryAfter: '2' }))
    })
  await start()
  for (let user = 0; user < 50; user++) await append(`u${user}`)
  t.equal(upstream.requests.length, 1)
  slow = true
  for (let user = 50; user < 100; user++) await append(`u${user}`)
  limit()
  await rest()
  claimed()
  slow = false
  upstream.respond = () => taken({ 'x-ratelimit-limit': '120', 'x-ratelimit-remaining': '60' })
  await rest()
  t.equal(upstream.requests.length, 1, 'nothing leaves in the pause')
  await clock.advance(10_000)
  t.equal(delivered(), 100)
  t.equal(faults.length, 1)
})

/** The longest pauses: a backoff after 429s, or of an entry put aside (60 s), behind a request that nobody answered. */
const PAUSES = 60 + TIMEOUT / 1000
/** To find out which entries Logtrail stumbles over: halves of a batch, each tried beside another. */
const SEARCH = 60
const SEEDS = Number(process.env.RECOVERY_SEEDS ?? 200)

t.test(`from bad times to good ones, ${SEEDS} times: the queue empties`, async t => {
  let worst = 0
  for (let seed = 1; seed <= SEEDS; seed++) {
    const random = createRandom(seed)
    const requestsPerMinute = [120, 300, 1000][seed % 3]!
    const poison = seed % 5 === 0 ? 1 + Math.floor(random() * 4) : 0
    const times = {
      seed,
      requestsPerMinute,
      maxBatch: 50,
      faults: 0.1 + 0.85 * random(),
      badSeconds: 30 + 300 * random(),
      users: poison + 1 + Math.floor(60 * random()),
      entries: 600,
      poison
    }
    const bound = PAUSES + poison * SEARCH + (times.entries / 50) * (60 / requestsPerMinute) * 2
    const { emptied, outOfOrder, limited, left } = await simulate(times, bound)
    worst = Math.max(worst, emptied ?? Number.POSITIVE_INFINITY)
    if (emptied === undefined) t.fail(`still not empty after ${bound} s`, { ...times, left })
    if (outOfOrder.length > 0) t.fail('out of order', { ...times, outOfOrder })
    if (limited > 0) t.fail('more than the plan allows', { ...times, limited })
  }
  t.ok(worst < 200, `after ${worst} s at the latest`)
})

for (const [name, naming] of Object.entries(namings)) {
  t.test(`bad entries in bad times, and names: ${name}`, async t => {
    let bad = 0
    for (let seed = 1; seed <= Math.ceil(SEEDS / 20); seed++) {
      const random = createRandom(seed)
      const times = {
        seed,
        requestsPerMinute: [120, 300, 1000][seed % 3]!,
        maxBatch: 50,
        faults: 0.1 + 0.5 * random(),
        badSeconds: 30 + 100 * random(),
        users: 1 + Math.floor(30 * random()),
        entries: 300,
        refused: 0.1 * random(),
        naming
      }
      const outcome = await simulate(times, PAUSES + SEARCH)
      if (outcome.emptied === undefined) t.fail('not empty in time', { ...times, ...outcome })
      if (outcome.outOfOrder.length > 0) t.fail('out of order', { ...times, ...outcome })
      if (outcome.wrong.length > 0) t.fail('delivered what is bad, or buried what is good', { ...times, ...outcome })
      bad += outcome.bad
    }
    t.ok(bad > 50, `${bad} bad ones, and none else, are dead letters`)
  })
}
