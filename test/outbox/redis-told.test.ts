/**
 * Once 3,000 entries of three replicas stood at 2,950: the last 50 came by others while the sender's last request was under
 * way, it learned of them from Redis' answer to that acknowledgement, and nobody told it that there was anything to send.
 * Its next beat found no more than it knew.
 */
import t, { type Test } from 'tap'
import type { RedisOutboxOptions } from '../../src/outbox/redis.js'
import { startRedis } from '../helper/redis.js'
import { entry } from './behaviour.js'
import { emptied, PREFIX, replica } from './redis-outbox.js'
import { until } from './until.js'

const ALL = { entries: 100, bytes: 1e6 }

const redis = await startRedis()
if (!redis) t.plan(0, 'needs redis-server')
else {
  const client = emptied(t, redis)

  /** The one that sends, whose beats tell nothing, and another. `told` counts what can be claimed, as listeners were told. */
  const two = async (t: Test, options: Partial<RedisOutboxOptions> = {}) => {
    const quiet = { beat: 60_000, lease: 60_000 }
    const { outbox, redis: connection } = replica(t, redis.url, { ...quiet, ...options })
    await outbox.start()
    const other = replica(t, redis.url, quiet).outbox
    await other.start()
    const told: number[] = []
    const unclaimed = () => outbox.stats().waiting - outbox.stats().claimed
    outbox.onAppend(() => told.push(unclaimed()))
    return { outbox, connection, other, told, unclaimed }
  }

  t.test('that others have appended is told by an acknowledgement that says so first', async t => {
    const { outbox, other, told } = await two(t)
    const [one] = await outbox.append([entry('u:ann', 1)])
    await outbox.claim(ALL)
    await other.append([entry('u:bob', 1)])
    t.same(told, [1])
    await outbox.acknowledge([one!])
    t.same(told, [1, 1])
    t.equal((await outbox.claim(ALL)).length, 1)
  })

  t.test('by a burial', async t => {
    const { outbox, other, told } = await two(t, { now: () => 1_000_000 })
    const [one] = await outbox.append([entry('u:ann', 1)])
    await outbox.claim(ALL)
    await other.append([entry('u:bob', 1), entry('u:eve', 1)])
    await outbox.bury([{ id: one!, reason: { code: 'X', message: 'x' } }])
    t.same(told, [1, 2], 'once its own claim has gone')
    await other.append([entry('u:bob', 2)])
    t.equal(await outbox.expire(1e9), 0)
    t.same(told, [1, 2])
  })

  t.test('by an append that finds the queue full, and by dead letters that go', async t => {
    const { outbox, other, told } = await two(t, { maxBytes: 1000 })
    const [one] = await outbox.append([entry('u:ann', 1)])
    await other.append(Array.from({ length: 6 }, (_, n) => entry('u:bob', n)))
    await t.rejects(async () => outbox.append([entry('u:ann', 2)]), { code: 'QUEUE_FULL' })
    t.same(told, [1, 7])
    await outbox.claim({ entries: 1, bytes: 1e6 })
    await outbox.bury([{ id: one!, reason: { code: 'X', message: 'x' } }])
    t.same(told, [1, 7], 'nothing new')
    await other.append([entry('u:eve', 1)])
    t.equal(await outbox.deadLetters.purge('all'), 1)
    t.same(told, [1, 7, 7])
  })

  t.test('what was counted as settled twice, as the answer was lost, is told of once it is put right', async t => {
    const { outbox, connection, told, unclaimed } = await two(t, { beat: 20 })
    const [one] = await outbox.append([entry('u:ann', 1)])
    await outbox.append([entry('u:bob', 1)])
    await outbox.claim({ entries: 1, bytes: 1e6 })
    const commands = connection as unknown as Record<'outbox_forget', (...args: unknown[]) => Promise<unknown>>
    const forget = commands.outbox_forget.bind(connection)
    let least = 1
    const seen = setInterval(() => {
      least = Math.min(least, unclaimed())
    }, 1)
    t.teardown(() => clearInterval(seen))
    let calls = 0
    commands.outbox_forget = async (...args) => {
      const answer = await forget(...args)
      if (++calls === 1) throw new Error('Command timed out')
      // until it has been looked at, which the first answer brought into disorder
      await until(() => least === 0)
      return answer
    }
    await outbox.acknowledge([one!])
    await until(() => calls === 2 && unclaimed() === 1)
    t.same(told, [1, 2, 1])
  })

  t.test('what was claimed as the lease went to another', async t => {
    const { outbox, told } = await two(t, { beat: 20 })
    await outbox.append([entry('u:ann', 1)])
    await outbox.claim(ALL)
    await client.set(`${PREFIX}:lease`, '7:somebody')
    await until(() => told.length === 2)
    t.same(told, [1, 1])
  })

  t.test('what another answers for now, as its settling never reached Redis, is told of as waiting', async t => {
    const { outbox, connection, told } = await two(t, { beat: 20 })
    const [one] = await outbox.append([entry('u:ann', 1)])
    await outbox.claim(ALL)
    const commands = connection as unknown as Record<'outbox_forget', () => Promise<unknown>>
    commands.outbox_forget = () => Promise.reject(new Error('Command timed out'))
    await outbox.acknowledge([one!])
    t.same(told, [1])
    await client.set(`${PREFIX}:lease`, '7:somebody')
    await until(() => told.length === 2)
    t.same(told, [1, 1])
  })

  t.test('what could not be buried as too old waits again, and that is told', async t => {
    const { outbox, connection, told } = await two(t)
    await outbox.append([entry('u:ann', 1)])
    const commands = connection as unknown as Record<'outbox_bury', () => Promise<unknown>>
    commands.outbox_bury = () => Promise.reject(new Error('Command timed out'))
    t.equal(await outbox.expire(-1000), 0)
    t.same(told, [1, 1])
  })
}
