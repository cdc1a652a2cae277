import t from 'tap'
import { createBudget } from '../../src/delivery/budget.js'
import { createQueued, type QueuedOptions } from '../../src/delivery/queued.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { createFakeClock } from './fake-clock.js'
import { createUpstream, entry, taken, unreachable } from './upstream.js'

const DAY = 86_400_000

async function createQueue(overrides: Partial<QueuedOptions> = {}) {
  const clock = createFakeClock()
  const memory = createMemoryOutbox({ maxEntries: 100, now: clock.wall })
  const upstream = createUpstream(clock.now)
  const buried: [number, string][] = []
  const states: (string | null)[] = []
  const faults: unknown[] = []
  const queued = createQueued({
    outbox: memory,
    client: upstream,
    budget: createBudget({ requestsPerMinute: 120, clock }),
    clock,
    maxBatch: 50,
    maxBytes: 100_000,
    maxWait: 1000,
    maxAge: 35 * DAY,
    onBuried: (count, code) => void buried.push([count, code]),
    onState: state => void states.push(state),
    onFault: error => void faults.push(error),
    ...overrides
  })
  const deliver = (user: string, ...ids: string[]) =>
    queued.deliver({ user, entries: ids.map(id => entry(id)), bulk: true })
  return { clock, memory, upstream, queued, buried, states, faults, deliver }
}

t.test('answers once stored, whatever Logtrail does', async t => {
  const { clock, upstream, queued, states, deliver } = await createQueue()
  upstream.respond = unreachable
  t.match(await queued.start(), { inherited: 0 })
  t.strictSame(await deliver('a', '1', '2'), { accepted: 2 })
  t.strictSame(await deliver('a'), { accepted: 0 })
  await clock.advance(120_000)
  t.strictSame(states, ['upstream'])
  t.match(queued.fault(), { code: 'UPSTREAM_UNREACHABLE' })
  upstream.respond = () => taken()
  await clock.advance(60_000)
  t.strictSame(states, ['upstream', null])
  await queued.stop(1000)
})

t.test("an earlier run's entries go first", async t => {
  const { clock, memory, upstream, queued, deliver } = await createQueue()
  memory.append([{ user: 'a', body: entry('old') }])
  await queued.start()
  await deliver('a', 'new')
  await clock.advance(3000)
  t.strictSame(upstream.ids(), ['old', 'new'])
  await queued.stop(0)
})

t.test('full: refused', async t => {
  const { queued, deliver } = await createQueue()
  await queued.start()
  const many = Array.from({ length: 101 }, (_, i) => String(i))
  await t.rejects(deliver('a', ...many), { code: 'QUEUE_FULL' })
  await queued.stop(0)
})

t.test('what cannot be stored is not answered as if it were', async t => {
  const memory = createMemoryOutbox({ maxEntries: 100, now: () => 0 })
  const outbox: Outbox = { ...memory, append: () => Promise.reject(new Error('no disk')) }
  const { queued, deliver } = await createQueue({ outbox })
  await queued.start()
  await t.rejects(deliver('a', '1'), { message: 'no disk' })
  await queued.stop(0)
})

t.test('too old: a dead letter', async t => {
  const { clock, upstream, queued, deliver, buried } = await createQueue({ maxAge: DAY })
  upstream.respond = unreachable
  await queued.start()
  await deliver('a', '1', '2')
  await clock.advance(DAY - 120_000)
  await deliver('a', '3')
  t.strictSame(buried, [])
  await clock.advance(300_000)
  t.strictSame(buried.at(-1)?.[1], 'EXPIRED')
  t.ok(buried.reduce((sum, [count]) => sum + count, 0) <= 2)
  await queued.stop(0)
  const after = buried.length
  await clock.advance(DAY * 2)
  t.equal(buried.length, after)
})

t.test('what grew too old while nothing ran is a dead letter, and never sent', async t => {
  const { clock, memory, upstream, queued, buried, deliver } = await createQueue({ maxAge: DAY })
  memory.append([{ user: 'a', body: entry('old') }])
  clock.jump(2 * DAY)
  memory.append([{ user: 'a', body: entry('young') }])
  await queued.start()
  t.strictSame(buried, [[1, 'EXPIRED']])
  await deliver('a', 'new')
  await clock.advance(3000)
  t.strictSame(upstream.ids(), ['young', 'new'])
  await queued.stop(0)
})

t.test('a date that jumps does not expire a queue', async t => {
  const { clock, upstream, queued, deliver, buried } = await createQueue({ maxAge: DAY })
  upstream.respond = unreachable
  await queued.start()
  await deliver('a', '1')
  await clock.advance(61_000)
  clock.jump(40 * DAY)
  await clock.advance(300_000)
  clock.jump(-40 * DAY)
  await clock.advance(3_600_000)
  t.strictSame(buried, [], 'put right in time, as if nothing had been')
  clock.jump(40 * DAY)
  await clock.advance(900_000)
  t.strictSame(buried.length, 1, 'left so for long, it is believed')
  await queued.stop(0)
})

t.test('a store that cannot expire entries says so and goes on', async t => {
  const clock = createFakeClock()
  const memory = createMemoryOutbox({ maxEntries: 100, now: clock.wall })
  const outbox: Outbox = { ...memory, expire: () => Promise.reject(new Error('disk full')) }
  const { clock: time, queued, faults } = await createQueue({ outbox })
  await queued.start()
  await time.advance(180_000)
  t.match(faults, [/disk full/, /disk full/])
  t.equal(faults.length, 4, 'as it starts, and each minute')
  const stopped = queued.stop(5)
  t.equal(queued.stop(5), stopped)
  await stopped
})

t.test('a stop while entries expire: nothing is begun anew', async t => {
  const clock = createFakeClock()
  const memory = createMemoryOutbox({ maxEntries: 100, now: clock.wall })
  let expired: ((count: number) => void) | undefined
  let looked = 0
  const outbox: Outbox = {
    ...memory,
    // the start waits for the first look
    expire: () =>
      looked++ === 0
        ? 0
        : new Promise(resolve => {
            expired = resolve
          })
  }
  const queue = await createQueue({ outbox })
  await queue.queued.start()
  await queue.clock.advance(60_000)
  await queue.queued.stop(5)
  expired!(0)
  await queue.clock.advance(1)
  t.equal(queue.clock.timers, 0)
})
