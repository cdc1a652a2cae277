import t from 'tap'
import type { Claimed } from '../../src/outbox/outbox.js'
import { startRedis } from '../helper/redis.js'
import { entry } from './behaviour.js'
import { emptied, PREFIX, replica } from './redis-outbox.js'
import { until } from './until.js'

const ALL = { entries: 1_000_000, bytes: 1e9 }
const reason = { code: 'X', message: 'x' }
const ids = (claimed: readonly Claimed[]) => claimed.map(({ id }) => id)
const numbers = (claimed: readonly Claimed[]) => claimed.map(({ body }) => JSON.parse(body).n)

const redis = await startRedis()
if (!redis) t.plan(0, 'needs redis-server')
else {
  const client = emptied(t, redis)
  const lease = `${PREFIX}:lease`
  const waiting = `${PREFIX}:waiting`

  t.test('any replica takes entries, one sends them', async t => {
    const one = replica(t, redis.url)
    const two = replica(t, redis.url)
    t.match(await one.outbox.start(), { inherited: 0 })
    await two.outbox.append([entry('u:ann', 1)])
    t.match(await two.outbox.start(), { inherited: 0 }, 'they are in the books of the other')
    await one.outbox.append([entry('u:ann', 2)])
    await two.outbox.append([entry('u:ann', 3)])
    t.same(await two.outbox.claim(ALL), [])
    t.same(numbers(await one.outbox.claim(ALL)), [1, 2, 3])
    t.same(one.kinds().includes('sending'), true)
    t.same(two.kinds().includes('sending'), false)
    await until(() => two.outbox.stats().waiting === 3)
  })

  t.test('whoever sends hears of entries of others', async t => {
    const one = replica(t, redis.url)
    const two = replica(t, redis.url)
    await one.outbox.start()
    await two.outbox.start()
    const told = new Promise<void>(resolve => void one.outbox.onAppend(resolve))
    await two.outbox.append([entry('u:ann', 1)])
    await told
    t.equal(one.outbox.stats().waiting, 1)
  })

  t.test('a clean stop hands the lease on, and what was claimed goes first', async t => {
    const one = replica(t, redis.url, { lease: 60_000 })
    const two = replica(t, redis.url, { lease: 60_000 })
    await one.outbox.start()
    await two.outbox.start()
    await two.outbox.append([1, 2, 3, 4].map(n => entry('u:ann', n)))
    const claimed = await one.outbox.claim({ entries: 2, bytes: 1e6 })
    await one.outbox.acknowledge(ids(claimed).slice(0, 1))
    const told = new Promise<void>(resolve => void two.outbox.onAppend(resolve))
    await one.outbox.stop()
    await told
    t.same(numbers(await two.outbox.claim(ALL)), [2, 3, 4])
  })

  t.test('fencing: who lost the lease settles nothing', async t => {
    const old = replica(t, redis.url, { beat: 1e6, lease: 1e6 })
    await old.outbox.start()
    await old.outbox.append([1, 2, 3].map(n => entry('u:ann', n)))
    await old.outbox.append([entry('u:bob', 4)])
    const claimed = await old.outbox.claim(ALL)
    // As when its process stood still for longer than the lease.
    await client.del(lease)
    const next = replica(t, redis.url)
    await next.outbox.start()
    t.equal((await next.outbox.claim(ALL)).length, 4)
    let lost = 0
    const unlisten = old.outbox.onLost!(() => lost++)
    t.equal(old.outbox.holds!(), true, 'it has not heard of it')

    await old.outbox.acknowledge(ids(claimed).slice(0, 1))
    t.equal(await client.xlen(waiting), 4, 'acknowledged too late')
    t.same([lost, old.outbox.holds!()], [1, false], 'whoever holds claims is told')
    unlisten()
    t.ok(old.kinds().includes('not-sending'))
    await t.rejects(async () => old.outbox.bury([{ id: claimed[1]!.id, reason }]), { code: 'QUEUE_FULL' })
    t.equal(await client.xlen(`${PREFIX}:dead`), 0)
    t.same(await old.outbox.claim(ALL), [])
    t.equal(await old.outbox.expire(-1e9), 0)
    await old.outbox.stop()
    t.ok(await client.get(lease), 'nor does it end the lease of another')
  })

  t.test('a bury that meets another holder is refused, then passed over: the other will do it', async t => {
    const old = replica(t, redis.url, { beat: 200, lease: 1e6 })
    await old.outbox.start()
    await old.outbox.append([entry('u:ann', 1)])
    const [one] = await old.outbox.claim(ALL)
    await client.set(lease, '7:somebody')
    await t.rejects(async () => old.outbox.bury([{ id: one!.id, reason }]), { code: 'QUEUE_FULL' })
    await until(async () => {
      try {
        await old.outbox.bury([{ id: one!.id, reason }])
        return true
      } catch {
        return false
      }
    })
    t.equal(await client.xlen(waiting), 1)
    t.equal(await client.xlen(`${PREFIX}:dead`), 0)
  })

  t.test('a lease that was lost and comes back: claims go on where they were', async t => {
    const { outbox, kinds } = replica(t, redis.url)
    await outbox.start()
    await outbox.append([1, 2, 3, 4].map(n => entry(`u:${n}`, n)))
    await outbox.append([entry('u:1', 5), entry('u:2', 6)])
    const claimed = await outbox.claim({ entries: 4, bytes: 1e6 })
    const id = (n: number) => claimed[n - 1]!.id
    t.same(numbers(claimed), [1, 2, 3, 4])
    await client.set(lease, '7:somebody')
    await until(() => kinds().includes('not-sending'))
    await outbox.release([id(2)])
    await client.del(lease)
    await until(() => kinds().filter(kind => kind === 'sending').length === 2)
    t.same(numbers(await outbox.claim(ALL)), [2, 6], 'what is still under way is not claimed again')
    await outbox.acknowledge([id(1), id(3)])
    t.same(numbers(await outbox.claim(ALL)), [5])
    t.equal(await client.xlen(waiting), 4)
  })

  t.test('an acknowledgement that Redis did not hear is told again', async t => {
    const { outbox, redis: connection } = replica(t, redis.url, { commandTimeout: 300, lease: 5000 })
    await outbox.start()
    await outbox.append([entry('u:ann', 1), entry('u:ann', 2), entry('u:bob', 9)])
    const claimed = await outbox.claim({ entries: 1, bytes: 1e6 })
    const [bob] = await outbox.claim(ALL)
    redis.pause()
    await t.rejects(async () => outbox.bury([{ id: bob!.id, reason }]), { code: 'QUEUE_FULL' })
    await outbox.acknowledge(ids(claimed))
    t.match(outbox.stats(), { waiting: 2, writable: false, fault: String })
    await t.rejects(async () => outbox.append([entry('u:bob', 3)]), { code: 'QUEUE_FULL', retryAfter: Number })
    t.same(await outbox.claim(ALL), [], 'nothing can be read')
    t.equal(await outbox.expire(0), 0)
    redis.resume()
    await until(() => outbox.stats().writable)
    await until(async () => (await client.xrange(waiting, '-', '+')).every(([, f]) => JSON.parse(f[5]!).n !== 1))
    connection.disconnect(true)
    await until(() => connection.status !== 'ready')
    await until(() => connection.status === 'ready')
    await until(async () => numbers(await outbox.claim(ALL)).join() !== '')
    t.ok((await client.hget(`${PREFIX}:books`, 'waiting')) === String(await client.xlen(waiting)))
  })

  t.test('a holder whose Redis stands still stops, and goes on when it is back', async t => {
    const { outbox, kinds } = replica(t, redis.url, { commandTimeout: 200, lease: 500 })
    await outbox.start()
    await outbox.append([entry('u:ann', 1)])
    redis.pause()
    await until(() => !outbox.holds!())
    await until(async () => (await outbox.claim(ALL)).length === 0 && kinds().includes('not-sending'))
    redis.resume()
    await until(async () => numbers(await outbox.claim(ALL)).join() === '1')
  })

  t.test('what other hands delete does not stand in the way', async t => {
    const one = replica(t, redis.url, { lease: 60_000 })
    await one.outbox.start()
    const [first] = await one.outbox.append([1, 2].map(n => entry('u:ann', n)))
    await one.outbox.claim(ALL)
    await client.xdel(waiting, `${first}-0`)
    await one.outbox.stop()
    const two = replica(t, redis.url)
    await two.outbox.start()
    t.same(numbers(await two.outbox.claim(ALL)), [2])
    await until(async () => ((await client.xpending(waiting, 'senders')) as [number])[0] === 1)
    await client.flushall()
    await until(() => two.kinds().filter(kind => kind === 'sending').length === 2)
    await two.outbox.append([entry('u:ann', 3)])
    t.same(numbers(await two.outbox.claim(ALL)), [3])
  })

  t.test('beyond the window the stream waits', async t => {
    const { outbox } = replica(t, redis.url, { commandTimeout: 10_000, lease: 60_000 })
    await outbox.start()
    for (let n = 0; n < 21; n++) {
      await outbox.append(Array.from({ length: 1000 }, (_, i) => ({ user: `u:${i % 7}`, body: String(n * 1000 + i) })))
    }
    const seen: number[] = []
    for (;;) {
      const claimed = await outbox.claim({ entries: 5000, bytes: 1e6 })
      if (claimed.length === 0) break
      seen.push(...claimed.map(({ body }) => Number(body)))
      await outbox.acknowledge(ids(claimed))
    }
    t.equal(new Set(seen).size, 21_000)
    for (let user = 0; user < 7; user++) {
      const order = seen.filter(n => (n % 1000) % 7 === user)
      t.same(
        order,
        order.toSorted((a, b) => a - b)
      )
    }
  })
}
