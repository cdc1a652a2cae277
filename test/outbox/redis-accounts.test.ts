/** Who counts what, where several replicas share a queue: see `src/outbox/redis/accounts.ts`. */
import t, { type Test } from 'tap'
import type { Outbox } from '../../src/outbox/outbox.js'
import { startRedis } from '../helper/redis.js'
import { entry } from './behaviour.js'
import { emptied, PREFIX, replica } from './redis-outbox.js'
import { until } from './until.js'

const ALL = { entries: 1_000_000, bytes: 1e9 }
const reason = { code: 'X', message: 'x' }
const entries = (user: string, ...numbers: number[]) => numbers.map(n => entry(user, n))

const redis = await startRedis()
if (!redis) t.plan(0, 'needs redis-server')
else {
  const client = emptied(t, redis)

  /** A started replica with what it counted. */
  const counting = async (t: Test, more: Parameters<typeof replica>[2] = {}) => {
    const counted = { inherited: 0, delivered: 0, dead_letter: 0 }
    const one = replica(t, redis.url, {
      ...more,
      count(what, entries) {
        counted[what] += entries
      }
    })
    counted.inherited += (await one.outbox.start()).inherited
    return { ...one, counted }
  }
  const send = async (outbox: Outbox, most = 1000) => {
    const claimed = await outbox.claim({ entries: most, bytes: 1e9 })
    await outbox.acknowledge(claimed.map(({ id }) => id))
    return claimed.length
  }
  const accounts = async () =>
    Object.fromEntries(
      Object.entries(await client.hgetall(`${PREFIX}:accounts`)).map(([name, text]) => [name, JSON.parse(text)])
    )
  const replicas = () => client.zrange(`${PREFIX}:replicas`, '0', '-1')

  t.test('an entry counts where it came, whoever sends it', async t => {
    const sender = await counting(t)
    const other = await counting(t)
    await other.outbox.append(entries('u:ann', 1, 2, 3))
    await sender.outbox.append(entries('u:bob', 4))
    const claimed = await sender.outbox.claim(ALL)
    await sender.outbox.bury([{ id: claimed[0]!.id, reason }])
    await sender.outbox.acknowledge(claimed.map(({ id }) => id))
    t.same(sender.counted, { inherited: 0, delivered: 1, dead_letter: 0 })
    await until(() => other.counted.delivered === 2)
    t.same(other.counted, { inherited: 0, delivered: 2, dead_letter: 1 })
  })

  t.test('an entry that is settled twice counts once', async t => {
    const { outbox, counted } = await counting(t, { commandTimeout: 200, lease: 10_000 })
    await outbox.append(entries('u:ann', 1, 2))
    const claimed = await outbox.claim(ALL)
    const ids = claimed.map(({ id }) => id)
    redis.pause()
    await outbox.acknowledge(ids)
    t.equal(counted.delivered, 0, 'Redis has not said so')
    redis.resume()
    await until(async () => (await client.xlen(`${PREFIX}:waiting`)) === 0)
    await until(() => counted.delivered === 2)
    await outbox.acknowledge(ids)
    t.same(counted, { inherited: 0, delivered: 2, dead_letter: 0 })
  })

  t.test('a retried dead letter is inherited, by one of all', async t => {
    const [one, two] = [await counting(t), await counting(t)]
    await one.outbox.append(entries('u:ann', 1, 2))
    for (let round = 1; round <= 2; round++) {
      const claimed = await one.outbox.claim(ALL)
      await one.outbox.bury(claimed.map(({ id }) => ({ id, reason })))
      t.equal(await two.outbox.deadLetters.retry('all'), 2)
      await until(() => one.counted.inherited + two.counted.inherited === 2 * round)
    }
    t.equal(await send(one.outbox), 2)
    await until(() => one.counted.delivered + two.counted.delivered === 2)
    t.equal(one.counted.dead_letter + two.counted.dead_letter, 4)
    t.equal(one.counted.inherited + two.counted.inherited, 4)
  })

  t.test('of a replica that is gone another inherits what waits', async t => {
    const first = await counting(t)
    await first.outbox.append(entries('u:ann', 1, 2, 3))
    t.equal(await send(first.outbox, 1), 1)
    await first.outbox.stop()
    const [second, third] = [await counting(t), await counting(t)]
    t.same([second.counted.inherited, third.counted.inherited], [2, 0])
    t.equal(await send(second.outbox, 1), 1)
    await second.outbox.stop()
    await until(() => third.counted.inherited === 1)
    await until(async () => (await send(third.outbox)) === 1)
    t.same(first.counted, { inherited: 0, delivered: 1, dead_letter: 0 })
    t.same(second.counted, { inherited: 2, delivered: 1, dead_letter: 0 })
    t.same(third.counted, { inherited: 1, delivered: 1, dead_letter: 0 })
  })

  t.test('one that is killed, after a while; its account goes an hour later', async t => {
    const one = await counting(t)
    await client.hset(
      `${PREFIX}:accounts`,
      'killed',
      JSON.stringify({ here: 0, queued: 5, inherited: 1, delivered: 2, buried: 0, taken: 0, sent: 0, dug: 0 })
    )
    await client.zadd(`${PREFIX}:replicas`, Date.now() + 300, 'killed')
    t.equal(one.counted.inherited, 0)
    await until(() => one.counted.inherited === 4)
    const { killed } = await accounts()
    t.match(killed, { taken: 4, since: Number })
    await client.hset(`${PREFIX}:accounts`, 'killed', JSON.stringify({ ...killed, since: 1 }))
    await until(async () => (await accounts()).killed === undefined)
    t.equal(one.counted.inherited, 4)
  })

  t.test('who was taken for dead gets its entries back', async t => {
    const late = await counting(t, { lease: 60_000, beat: 60_000 })
    await late.outbox.append(entries('u:ann', 1, 2, 3, 4))
    const [name] = await replicas()
    const heir = await counting(t)
    await client.zrem(`${PREFIX}:replicas`, name!)
    await until(() => heir.counted.inherited === 4)
    t.equal(await send(late.outbox, 1), 1, 'it goes on meanwhile')
    t.equal(late.counted.delivered, 0)
    await until(() => heir.counted.delivered === 1)

    late.redis.disconnect(true)
    await until(() => late.counted.delivered === 1)
    t.match((await accounts())[name!], { delivered: 1, taken: 0, here: 3 })
    await until(async () => (await send(late.outbox)) === 3)
    t.equal(late.counted.delivered, 4)
    // What the heir has settled stays in its books as well, as come and as gone.
    t.same(heir.counted, { inherited: 4, delivered: 1, dead_letter: 0 })
    await heir.outbox.append(entries('u:bob', 5))
    await until(async () => (await send(late.outbox)) === 1)
    await until(() => heir.counted.delivered === 2)
    // What it had inherited and gave back it does not count once more.
    const killed = { here: 0, queued: 5, inherited: 0, delivered: 0, buried: 0, taken: 0, sent: 0, dug: 0 }
    await client.hset(`${PREFIX}:accounts`, 'killed', JSON.stringify(killed))
    await until(() => heir.counted.inherited === 6)
  })

  t.test('what others settled of one that was killed, before it counted as gone', async t => {
    const sender = await counting(t)
    const deaf = await counting(t, { lease: 60_000, beat: 60_000 })
    await deaf.outbox.append(entries('u:ann', 1, 2, 3, 4))
    const [bad, ...good] = await sender.outbox.claim({ entries: 3, bytes: 1e9 })
    await sender.outbox.bury([{ id: bad!.id, reason }])
    await sender.outbox.acknowledge(good.map(({ id }) => id))
    t.same(deaf.counted, { inherited: 0, delivered: 0, dead_letter: 0 }, 'nobody told it')
    const [, name] = await client.zrange(`${PREFIX}:replicas`, '0', '-1')
    await client.zrem(`${PREFIX}:replicas`, name!)
    await until(() => sender.counted.inherited === 4)
    t.same(sender.counted, { inherited: 4, delivered: 2, dead_letter: 1 })

    // It was only slow: then they are in the books of both, as come and as gone.
    deaf.redis.disconnect(true)
    await until(() => deaf.counted.delivered === 2)
    t.equal(deaf.counted.dead_letter, 1)
    t.match((await accounts())[name!], { delivered: 2, buried: 1, taken: 0, here: 1 })
    await sender.outbox.append(entries('u:bob', 5, 6, 7))
    await until(async () => {
      await send(sender.outbox)
      return (await accounts())[name!].here === 0
    })
    await until(() => sender.counted.delivered === 5)
    t.same(sender.counted, { inherited: 4, delivered: 5, dead_letter: 1 })
  })

  t.test('what it was told of, a replica that is gone has counted itself', async t => {
    const sender = await counting(t)
    const told = await counting(t)
    await told.outbox.append(entries('u:ann', 1, 2))
    await send(sender.outbox, 1)
    await until(() => told.counted.delivered === 1)
    await told.outbox.stop()
    await until(() => sender.counted.inherited === 1)
    t.equal(await send(sender.outbox), 1)
    await until(() => sender.counted.delivered === 1)
    t.same(sender.counted, { inherited: 1, delivered: 1, dead_letter: 0 })
  })

  t.test('dead letters that are retried and sent between two looks at Redis', async t => {
    const { outbox, redis, counted } = await counting(t, { lease: 60_000, beat: 60_000 })
    await outbox.append(entries('u:ann', 1))
    const [one] = await outbox.claim(ALL)
    await outbox.bury([{ id: one!.id, reason }])
    await outbox.deadLetters.retry('all')
    t.equal(await send(outbox), 1)
    redis.disconnect(true)
    await until(() => counted.delivered === 1)
    t.same(counted, { inherited: 1, delivered: 1, dead_letter: 1 })
  })

  t.test('an append whose answer was lost is in the books twice: refused, and inherited', async t => {
    const { outbox, counted } = await counting(t, { commandTimeout: 200, lease: 10_000 })
    await outbox.append(entries('u:ann', 1))
    redis.pause()
    await t.rejects(async () => outbox.append(entries('u:ann', 2, 3)), { code: 'QUEUE_FULL' })
    redis.resume()
    await until(() => counted.inherited === 2)
    await until(async () => (await send(outbox)) === 3)
    t.same(counted, { inherited: 2, delivered: 3, dead_letter: 0 })
  })

  t.test('nobody is taken for dead because Redis stood still', async t => {
    const [one, two] = [await counting(t), await counting(t)]
    await one.outbox.append(entries('u:ann', 1))
    await two.outbox.append(entries('u:bob', 2))
    const names = await replicas()
    // As after a pause that was longer than the life of both.
    await client
      .multi()
      .zadd(`${PREFIX}:replicas`, 1, names[0]!, 1, names[1]!)
      .hset(`${PREFIX}:books`, 'beat', Date.now() - 60_000)
      .exec()
    await until(async () => (await client.zcount(`${PREFIX}:replicas`, Date.now(), '+inf')) === 2)
    t.same([one.counted.inherited, two.counted.inherited], [0, 0])
    t.same(await replicas().then(all => all.toSorted()), names.toSorted())
  })

  t.test('a Redis that was emptied begins anew', async t => {
    const { outbox, counted, kinds } = await counting(t)
    await outbox.append(entries('u:ann', 1, 2))
    t.equal(await send(outbox), 2)
    await client.flushall()
    await until(() => kinds().filter(kind => kind === 'sending').length === 2)
    await outbox.append(entries('u:ann', 3))
    await until(async () => (await send(outbox)) === 1)
    t.same(counted, { inherited: 0, delivered: 3, dead_letter: 0 })
  })
}
