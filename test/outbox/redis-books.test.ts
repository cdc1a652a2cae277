/**
 * The books of three replicas over one queue, while they are killed and replaced at random, dead letters are retried and buried
 * again, and Redis stands still and cuts connections: over those that live in the end, what was stored and inherited is what was
 * delivered or buried, or waits.
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t from 'tap'
import { createDeadLetters } from '../../src/outbox/redis/dead-letters.js'
import { createScripts, QUEUE_PREFIX } from '../../src/outbox/redis/scripts.js'
import { createRandom } from '../delivery/random.js'
import { startRedis } from '../helper/redis.js'
import { childEnv } from './child.js'
import type { Books } from './children/redis-books.js'
import { until } from './until.js'

const LEASE = 600
const CHILD = fileURLToPath(new URL('./children/redis-books.ts', import.meta.url))
const seed = Number(process.env.BOOKS_SEED ?? Date.now() % 1_000_000)
const kills = Number(process.env.BOOKS_KILLS ?? 6)

const redis = await startRedis({ appendonly: 'yes', appendfsync: 'no' })
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.setTimeout((60 + 10 * kills) * 1000)
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url, { retryStrategy: () => 50 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())
  const scripts = createScripts(client, QUEUE_PREFIX)
  const letters = createDeadLetters(client, scripts, Date.now)

  t.test(`the books balance over the replicas that live (BOOKS_SEED=${seed})`, async t => {
    const random = createRandom(seed)
    const replicas: ChildProcess[] = []
    let number = 0
    const add = async (): Promise<void> => {
      const args = [redis.url, String(++number * 1_000_000), String(LEASE)]
      const one = fork(CHILD, args, { execArgv: ['--import', 'tsx'], env: childEnv })
      t.teardown(() => void one.kill('SIGKILL'))
      await once(one, 'message')
      replicas.push(one)
    }
    const end = async (how: 'kill' | 'stop'): Promise<void> => {
      const [one] = replicas.splice(Math.floor(random() * replicas.length), 1) as [ChildProcess]
      const gone = once(one, 'exit')
      if (how === 'kill') one.kill('SIGKILL')
      else one.send('stop')
      await gone
    }
    const grown = async (by: number): Promise<void> => {
      const before = await client.hget(scripts.keys.books, 'sequence')
      await until(async () => Number(await client.hget(scripts.keys.books, 'sequence')) > Number(before))
      for (let more = 0; more < by; more++) await letters.retry('all')
    }

    await Promise.all([add(), add(), add()])
    for (let i = 0; i < kills; i++) {
      await grown(3)
      await end(i % 3 === 2 ? 'stop' : 'kill')
      if (i % 3 === 0) await client.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes')
      if (i % 3 === 1) {
        redis.pause()
        // Longer than a command may take, and than a lease.
        await new Promise(resolve => setTimeout(resolve, 2 * LEASE))
        redis.resume()
      }
      await add()
      await until(async () => (await client.xlen(scripts.keys.dead)) > 0)
    }
    for (const one of replicas) one.send('quiet')
    await until(async () => (await client.xlen(scripts.keys.waiting)) === 0)

    const books = async (): Promise<Books[]> =>
      Promise.all(
        replicas.map(async one => {
          const said = once(one, 'message') as Promise<[Books]>
          one.send('books')
          return (await said)[0]
        })
      )
    const sums = async () => {
      const all = await books()
      const sum = (what: keyof Books) => all.reduce((total, one) => total + one[what], 0)
      return {
        came: sum('stored') + sum('inherited'),
        went: sum('delivered') + sum('dead_letter'),
        inherited: sum('inherited'),
        dead: sum('dead_letter')
      }
    }
    // What those left that were killed last is inherited when their time is over.
    await until(async () => (await client.zcard(scripts.keys.replicas)) === 3)
    await until(async () => {
      const { came, went } = await sums()
      return came === went
    }).catch(() => {})
    const { came, went, inherited, dead } = await sums()
    t.comment(JSON.stringify({ came, went, inherited, dead, letters: await client.xlen(scripts.keys.dead) }))
    t.equal(went, came)
    t.ok(inherited > 0 && dead > 0 && came > 100, 'and there was something to be counted')
    t.match(await client.hmget(scripts.keys.books, 'waiting'), ['0'])
  })
}
