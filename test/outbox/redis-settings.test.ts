/** What a 202 rests on in Redis: settings that are weaker, its memory, its own replicas, what its users may do. */
import { Redis } from 'ioredis'
import t from 'tap'
import { createDeadLetters } from '../../src/outbox/redis/dead-letters.js'
import { createScripts } from '../../src/outbox/redis/scripts.js'
import { queueSettings } from '../../src/outbox/redis/settings.js'
import { startRedis } from '../helper/redis.js'
import { entry } from './behaviour.js'
import { PREFIX, replica } from './redis-outbox.js'
import { until } from './until.js'

const ALL = { entries: 1_000_000, bytes: 1e9 }

const redis = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const set = (name: string, value: string) => client.config('SET', name, value)
  t.beforeEach(async () => {
    await client.flushall()
    await set('appendonly', 'yes')
    await set('appendfsync', 'always')
    await set('maxmemory-policy', 'noeviction')
  })

  t.test('settings that keep what was acknowledged are not talked about', async t => {
    t.same(await queueSettings(client), [])
  })

  t.test('what is weaker is said once, at the start', async t => {
    await set('appendfsync', 'everysec')
    t.match(await queueSettings(client), [
      { setting: 'appendfsync', severity: 'warning', message: /appendfsync is everysec.*two seconds/ }
    ])
    await set('appendfsync', 'no')
    t.match(await queueSettings(client), [{ severity: 'warning', message: /appendfsync is no:/ }])
    await set('appendonly', 'no')
    await set('maxmemory-policy', 'allkeys-lru')
    const { outbox, events } = replica(t, redis.url)
    await outbox.start()
    await outbox.append([entry('u:ann', 1)])
    t.match(
      events.filter(({ kind }) => kind === 'settings').map(({ message }) => message),
      [/appendonly is no/, /maxmemory-policy is allkeys-lru/]
    )
  })

  t.test('a Redis that does not tell', async t => {
    await client.acl('SETUSER', 'plain', 'on', '>word', 'allkeys', '+@all', '-config', '-info')
    const { outbox, events, kinds } = replica(t, redis.url, { username: 'plain', password: 'word' })
    await outbox.start()
    t.match(
      events.filter(({ kind }) => kind === 'settings').map(({ message }) => message),
      [/cannot tell appendonly/, /cannot tell appendfsync/, /cannot tell maxmemory-policy/]
    )
    await outbox.append([entry('u:ann', 1)])
    await outbox.stop()
    t.notOk(kinds().includes('unwritable'))
    const info = '# Persistence\r\naof_enabled:1\r\nmaxmemory_policy:noeviction\r\n'
    const there = { config: async () => [], info: async () => info } as unknown as Redis
    t.match(
      await queueSettings(there),
      [{ setting: 'appendfsync', severity: 'warning', message: /cannot tell/ }],
      'nor one whose service hides them; INFO knows the others'
    )
    const off = { ...there, info: async () => 'aof_enabled:0' } as unknown as Redis
    t.match(await queueSettings(off), [{ setting: 'appendonly', severity: 'error' }, { setting: 'maxmemory-policy' }])
    const gone = new Redis(redis.url, { lazyConnect: true, enableOfflineQueue: false })
    await t.rejects(queueSettings(gone))
    gone.disconnect()
  })

  t.test('a Redis that refuses writes is said with its own word, and the queue is not writable', async t => {
    await client.acl('SETUSER', 'reader', 'on', '>word', 'allkeys', '+@read', '+@connection', '+evalsha', '+eval')
    const { outbox, events } = replica(t, redis.url, { username: 'reader', password: 'word' })
    await outbox.start()
    t.match(outbox.stats(), { writable: false, fault: /Redis refuses it/ })
    t.equal(events.filter(({ kind }) => kind === 'unwritable').length, 1)
    await t.rejects(async () => outbox.append([entry('u:ann', 1)]), { code: 'QUEUE_FULL' })
    await client.acl('SETUSER', 'reader', '+@all')
    await until(() => outbox.stats().writable)
    await outbox.append([entry('u:ann', 1)])
  })

  t.test('a Redis whose memory is full takes nothing new, and drains', async t => {
    const { outbox } = replica(t, redis.url)
    await outbox.start()
    await outbox.append([1, 2, 3, 4].map(n => entry('u:ann', n)))
    t.teardown(() => set('maxmemory', '0'))
    await set('maxmemory', '1')
    await t.rejects(async () => outbox.append([entry('u:ann', 5)]), { code: 'QUEUE_FULL' })
    t.equal(outbox.stats().writable, true, 'full is not broken')
    const claimed = await outbox.claim({ entries: 2, bytes: 1e6 })
    await outbox.acknowledge([claimed[0]!.id])
    await outbox.bury([{ id: claimed[1]!.id, reason: { code: 'X', message: 'x' } }])
    t.match(outbox.stats(), { waiting: 2, deadLetters: 1 })
    t.equal(await outbox.deadLetters.retry('all'), 1)
    await outbox.stop()
    const next = replica(t, redis.url)
    t.match(await next.outbox.start(), { inherited: 3 })
    t.equal((await next.outbox.claim(ALL)).length, 3, 'the lease too can be taken')
  })

  t.test('a move that fails half-way loses nothing', async t => {
    const rights = ['on', '>word', 'allkeys', '+@all']
    await client.acl('SETUSER', 'mover', ...rights)
    let now = 1000
    const { outbox } = replica(t, redis.url, { username: 'mover', password: 'word', now: () => now })
    await outbox.start()
    await outbox.append([entry('u:ann', 1), entry('u:bob', 2)])
    now = 2000
    await client.acl('SETUSER', 'mover', '-xadd')
    t.equal(await outbox.expire(100), 0)
    const [one] = await outbox.claim({ entries: 1, bytes: 1e6 })
    await t.rejects(async () => outbox.bury([{ id: one!.id, reason: { code: 'X', message: 'x' } }]))
    t.match(outbox.stats(), { waiting: 2, claimed: 1, deadLetters: 0 })
    await client.acl('SETUSER', 'mover', '+xadd')
    await outbox.bury([{ id: one!.id, reason: { code: 'X', message: 'x' } }])
    t.equal(await outbox.expire(100), 1)
    await client.acl('SETUSER', 'mover', '-xadd')
    await t.rejects(outbox.deadLetters.retry('all'))
    t.match(await client.xlen(`${PREFIX}:dead`), 2)
    t.match(outbox.stats(), { waiting: 0, deadLetters: 2 })
  })

  t.test('replicas of Redis confirm, or it is said that they do not', async t => {
    const second = (await startRedis({ replicaof: `127.0.0.1 ${redis.port}` }))!
    t.teardown(() => second.stop())
    await until(async () => /slave0:.*state=online/.test(await client.info('replication')))
    const { outbox, kinds } = replica(t, redis.url)
    await outbox.start()
    const copy = new Redis(second.url)
    t.teardown(() => copy.disconnect())
    const news = () => kinds().filter(kind => kind.startsWith('replicas'))
    let appended = 0
    const append = async (n: number) => {
      await Promise.all(Array.from({ length: n }, () => outbox.append([entry('u:ann', ++appended)])))
    }
    // On a machine that is busy the first ones may be late.
    await until(async () => {
      await append(3)
      return news().at(-1) !== 'replicas' && (await copy.xlen(`${PREFIX}:waiting`)) === appended
    })
    const { length } = news()

    second.pause()
    await append(3)
    await append(3)
    t.same(news().slice(length), ['replicas'], 'said once')
    second.resume()
    await until(async () => {
      await append(1)
      return news().at(-1) === 'replicas-well'
    })
  })

  t.test('where Redis has replicas an append resolves after one was asked', async t => {
    const { outbox, redis: connection } = replica(t, redis.url)
    await outbox.start()
    await new Promise<void>(resolve => {
      connection.info = (async () => {
        setImmediate(resolve)
        return 'connected_slaves:1'
      }) as unknown as typeof connection.info
    })
    let confirm = (_: number) => {}
    const asked = new Promise<void>(resolve => {
      connection.wait = (() => {
        resolve()
        return new Promise<number>(answer => {
          confirm = answer
        })
      }) as unknown as typeof connection.wait
    })
    let appended = false
    const append = Promise.resolve(outbox.append([entry('u:ann', 1)])).then(() => {
      appended = true
    })
    await asked
    await connection.ping()
    t.equal(appended, false)
    confirm(1)
    await append
  })

  t.test('an outbox that was never started, and one that finds no Redis', async t => {
    const { outbox } = replica(t, redis.url)
    t.same(await outbox.claim(ALL), [])
    await outbox.stop()
    await outbox.stop()
    const nowhere = replica(t, 'redis://127.0.0.1:1')
    t.match(await nowhere.outbox.start(), { inherited: 0 })
    t.match(nowhere.outbox.stats(), { writable: false, fault: 'Redis is away or does not answer' })
    await t.rejects(async () => nowhere.outbox.append([entry('u:ann', 1)]), { code: 'QUEUE_FULL' })
  })

  t.test('ids that are none', async t => {
    const letters = createDeadLetters(client, createScripts(client, PREFIX), Date.now)
    t.same(await letters.list({ after: 'x' }), [])
    t.equal(await letters.purge(['x', '-', '99999999999999999999']), 0)
  })
}
