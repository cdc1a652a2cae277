import { EventEmitter } from 'node:events'
import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import t from 'tap'
import { backgroundTiming } from '../../src/clock.js'
import { createLease } from '../../src/outbox/redis/lease.js'
import { openRedisDeadLetters } from '../../src/outbox/redis/open-dead-letters.js'
import { createScripts } from '../../src/outbox/redis/scripts.js'
import { startRedis } from '../helper/redis.js'
import { entry } from './behaviour.js'
import { PREFIX, replica } from './redis-outbox.js'
import { until } from './until.js'

const ALL = { entries: 100, bytes: 1e6 }

const redis = await startRedis()
if (redis) {
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  t.beforeEach(() => client.flushall())

  t.test('whoever has lost the lease between two beats learns of it as it reads', async t => {
    const first = replica(t, redis.url, { beat: 60_000, lease: 60_000 })
    await first.outbox.start()
    t.ok(first.kinds().includes('sending'))
    await client.del(`${PREFIX}:lease`)
    const second = replica(t, redis.url)
    await second.outbox.start()
    await second.outbox.append([entry('u:ann', 1)])
    t.same(await first.outbox.claim(ALL), [])
    t.equal(first.kinds().at(-1), 'not-sending')
    t.equal((await second.outbox.claim(ALL)).length, 1)
  })

  t.test('what was asked over a connection that broke does nothing when it comes late', async t => {
    const { outbox, redis: connection, kinds } = replica(t, redis.url, { lease: 60_000 })
    await outbox.start()
    const held = (await client.get(`${PREFIX}:lease`)) as string
    await outbox.append([entry('u:ann', 1)])
    connection.disconnect(true)
    await until(() => kinds().filter(kind => kind === 'sending').length === 2)
    t.not(await client.get(`${PREFIX}:lease`), held)
    // Had it been read as the sender's, nobody would look for it any more.
    const late = createScripts(client, PREFIX)
    t.equal(await late.read(held, 10, '>'), undefined)
    t.equal(await late.run('forget', held, '1-0', 1, ''), undefined)
    t.equal((await outbox.claim(ALL)).length, 1)
  })

  t.test('where other hands took the stream away, what comes after it is sent', async t => {
    const { outbox } = replica(t, redis.url, { lease: 60_000 })
    await outbox.start()
    await outbox.append([entry('u:ann', 1)])
    t.equal((await outbox.claim(ALL)).length, 1)
    await client.del(`${PREFIX}:waiting`)
    await outbox.append([entry('u:bob', 2)])
    let bodies: string[] = []
    await until(async () => {
      bodies = (await outbox.claim(ALL)).map(({ body }) => body)
      return bodies.length > 0
    })
    t.match(bodies, [/"n":2,/])
    t.equal(outbox.stats().waiting, 1)
    await client.del(`${PREFIX}:waiting`)
    await outbox.stop()
    const next = replica(t, redis.url).outbox
    await next.start()
    t.match(next.stats(), { waiting: 0, bytes: 0 }, 'and what was taken away fills nothing')
  })

  t.test('settings that could not be asked for are asked for again with the next beat', async t => {
    const { outbox, redis: connection, events } = replica(t, redis.url, { beat: 20 })
    const config = connection.config.bind(connection)
    let asked = 0
    connection.config = ((...args: Parameters<typeof config>) =>
      asked++ === 0 ? Promise.reject(new Error('Connection is closed.')) : config(...args)) as typeof config
    await outbox.start()
    await until(() => events.some(({ kind }) => kind === 'settings'))
    t.match(events.find(({ kind }) => kind === 'settings')?.message, /appendonly is no/)
  })
}

interface Alone {
  beat?: () => Promise<string>
  interval?: number
  afterBeat?: () => Promise<void>
}

/** A lease over a Redis that does as it is told. `beat` answers who holds the lease; nobody beats but by hand, or as told. */
function lonely(
  status: string,
  ttl: number,
  { beat = async () => '1:me', interval = 60_000, afterBeat = async () => {} }: Alone = {}
) {
  const connection = Object.assign(new EventEmitter(), { status })
  const heard: string[] = []
  const lease = createLease({
    redis: connection as never,
    scripts: {
      async run(name: string) {
        heard.push(name)
        return name === 'beat' ? { more: await beat() } : undefined
      }
    } as never,
    token: 'me',
    beat: interval,
    ttl,
    timing: backgroundTiming,
    onBeat: () => {},
    afterBeat,
    onHeld: () => heard.push('held'),
    onLost: () => heard.push('lost'),
    onElsewhere: () => {},
    onFault: () => {},
    onEnd: () => {}
  })
  return { connection, lease, heard }
}

t.test('a lease that was stopped before Redis came is not taken any more', async t => {
  const { connection, lease, heard } = lonely('connecting', 5000)
  const started = lease.start()
  await lease.stop()
  connection.emit('ready')
  await started
  t.same(heard, ['leave'])
  t.equal(lease.holder(), undefined)
})

t.test('a lease counts from when it was asked for: Redis may have begun to count then', async t => {
  const ttl = 200
  const { lease, heard } = lonely('ready', ttl, {
    async beat() {
      // An answer that takes as long as the lease lives.
      for (const asked = performance.now(); performance.now() < asked + ttl; )
        await new Promise(resolve => setTimeout(resolve, 20))
      return '1:me'
    }
  })
  await lease.start()
  t.equal(lease.holder(), undefined)
  t.same(heard, ['beat', 'held', 'lost'])
  await lease.stop()
})

t.test('whoever loses the connection stops sending at once: the Redis that comes back may be another', async t => {
  const { connection, lease, heard } = lonely('ready', 60_000)
  await lease.start()
  t.equal(lease.holder(), '1:me')
  connection.emit('close')
  t.same(heard, ['beat', 'held', 'lost'])
  t.equal(lease.holder(), undefined)
  await lease.stop()
})

t.test('a lease is prolonged whatever else takes its time', async t => {
  let end = () => {}
  let chores = 0
  const first = new Promise<void>(resolve => {
    end = resolve
  })
  const afterBeat = () => (++chores === 1 ? first : Promise.resolve())
  const { lease, heard } = lonely('ready', 60_000, { interval: 1, afterBeat })
  const started = lease.start()
  await until(() => heard.filter(what => what === 'beat').length >= 3)
  t.equal(chores, 1, 'which is begun once at a time')
  end()
  await started
  await until(() => chores > 1)
  await lease.stop()
})

t.test('one that is stopped while it is asked for asks no more', async t => {
  let answer = (_: string) => {}
  const asked = new Promise<string>(resolve => {
    answer = resolve
  })
  const { lease, heard } = lonely('ready', 60_000, { beat: () => asked, interval: 1 })
  const started = lease.start()
  const stopped = lease.stop()
  answer('1:me')
  await Promise.all([started, stopped])
  await new Promise(resolve => setTimeout(resolve, 20))
  t.same(heard, ['beat', 'held', 'leave'])
  t.equal(lease.holder(), undefined)
})

t.test('dead letters in a Redis that hangs up: said without its address', async t => {
  const server = createServer(socket => socket.once('data', () => socket.end())).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  await t.rejects(openRedisDeadLetters(`redis://127.0.0.1:${port}`), { message: 'Redis cannot be used: see REDIS_URL' })
})
