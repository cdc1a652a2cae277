/**
 * Several processes over one Redis, killed at any moment, and Redis itself paused, killed and brought back: nothing that an
 * append resolved for is lost, and each user's entries are sent in order, but for those that are sent twice.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type RedisServer, startRedis } from '../helper/redis.js'
import { child, childEnv } from './child.js'
import { until } from './until.js'

const STREAM = '{logtrail-bff:queue}:waiting'
const redis = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url, { retryStrategy: () => 50 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  t.beforeEach(async () => void (await client.flushall()))

  t.test('replicas are killed at random', async t => {
    const crowd = createCrowd(t, redis)
    for (let n = 0; n < 3; n++) crowd.add()
    await until(() => crowd.sent.length > 200)
    for (let kill = 0; kill < 4; kill++) {
      // Every other time it is the one that sends.
      const victim = kill % 2 === 0 ? crowd.sender() : crowd.replicas.find(one => one !== crowd.sender())
      await crowd.kill(victim)
      crowd.add()
      const { size } = crowd.stored
      const { length } = crowd.sent
      await until(() => crowd.stored.size > size + 50 && (kill % 2 === 1 || crowd.sent.length > length + 50))
    }
    await settle(t, crowd)
  })

  t.test('the lease of a killed sender moves within seconds', async t => {
    const crowd = createCrowd(t, redis, 5000)
    crowd.add()
    await until(() => crowd.sent.length > 20)
    crowd.add('quiet')
    await until(() => crowd.replicas.length === 2 && crowd.started() === 2)
    const began = performance.now()
    await crowd.kill(crowd.sender())
    await until(() => crowd.sender() !== undefined)
    const seconds = (performance.now() - began) / 1000
    t.ok(seconds < 10, `${seconds.toFixed(1)} s`)
    await allSent(t, crowd)
  })

  t.test('Redis stands still, dies and comes back in the middle of traffic', async t => {
    const crowd = createCrowd(t, redis)
    crowd.add()
    crowd.add()
    await until(() => crowd.sent.length > 100)
    for (const wait of [1200, 2500]) {
      redis.pause()
      // Longer than a command may take; longer than the lease.
      await new Promise(resolve => setTimeout(resolve, wait))
      redis.resume()
      const { size } = crowd.stored
      const { length } = crowd.sent
      await until(() => crowd.stored.size > size + 50 && crowd.sent.length > length + 50)
    }
    for (let kill = 0; kill < 2; kill++) {
      await redis.kill()
      await redis.start()
      const { size } = crowd.stored
      const { length } = crowd.sent
      await until(() => crowd.stored.size > size + 50 && crowd.sent.length > length + 50)
    }
    await settle(t, crowd)
  })

  async function settle(t: Test, crowd: Crowd): Promise<void> {
    crowd.add('quiet')
    await until(() => crowd.started() >= crowd.replicas.length)
    const quiet = crowd.replicas.at(-1)
    for (const one of [...crowd.replicas]) if (one !== quiet) await crowd.kill(one)
    await until(() => crowd.sender() === quiet)
    await allSent(t, crowd)
  }

  /** Once nobody appends any more. */
  async function allSent(t: Test, crowd: Crowd): Promise<void> {
    await until(async () => (await client.xlen(STREAM)) === 0)
    // What it said last may still be in the pipe.
    await crowd.kill(crowd.sender())
    const sent = new Set(crowd.sent)
    const lost = [...crowd.stored].filter(n => !sent.has(n))
    t.same(lost, [], `of ${crowd.stored.size} stored, all were sent`)
    t.comment(`${crowd.sent.length - sent.size} of ${crowd.sent.length} twice`)
    const first = [...sent]
    for (const user of new Set(first.map(userOf))) {
      const order = first.filter(n => userOf(n) === user)
      t.same(
        order,
        order.toSorted((a, b) => a - b),
        `order of user ${user}`
      )
    }
    const [waiting, bytes] = await client.hmget('{logtrail-bff:queue}:books', 'waiting', 'bytes')
    t.same([waiting, bytes], ['0', '0'], 'the books balance')
  }
}

interface Crowd {
  replicas: ChildProcess[]
  stored: Set<number>
  /** Numbers in the order in which they were sent. */
  sent: number[]
  started(): number
  /** Who took the lease last, if it lives. */
  sender(): ChildProcess | undefined
  add(what?: string): void
  kill(one: ChildProcess | undefined): Promise<void>
}

function userOf(n: number): number {
  return Math.floor(n / 1_000_000)
}

/** @param lease milliseconds; short, so that the test is */
function createCrowd(t: Test, { url }: RedisServer, lease = 1500): Crowd {
  let number = 0
  let sender: ChildProcess | undefined
  const ready = new Set<ChildProcess>()
  const read = new Map<ChildProcess, Promise<unknown>>()
  const crowd: Crowd = {
    replicas: [],
    stored: new Set(),
    sent: [],
    started: () => crowd.replicas.filter(one => ready.has(one)).length,
    sender: () => (sender !== undefined && crowd.replicas.includes(sender) ? sender : undefined),
    add(what = '') {
      const args = [...child('redis.ts'), url, String(++number * 1_000_000), String(lease), what]
      const one = spawn(process.execPath, args, { env: childEnv, stdio: ['ignore', 'pipe', 'inherit'] })
      crowd.replicas.push(one)
      t.teardown(() => void one.kill('SIGKILL'))
      const lines = createInterface({ input: one.stdout })
      read.set(one, once(lines, 'close'))
      lines.on('line', line => {
        // The last one may be cut off.
        if (!line.endsWith(';')) return
        const [word, n] = line.slice(0, -1).split(' ')
        if (word === 'stored') crowd.stored.add(Number(n))
        else if (word === 'sending') crowd.sent.push(Number(n))
        else if (word === 'lease') sender = one
        else ready.add(one)
      })
    },
    async kill(one) {
      if (one === undefined) return
      crowd.replicas.splice(crowd.replicas.indexOf(one), 1)
      one.kill('SIGKILL')
      await read.get(one)
    }
  }
  return crowd
}
