import { join } from 'node:path'
import type { Redis } from 'ioredis'
import type { Books } from '../delivery/oracle/oracle.js'
import { entry } from '../helper/proxy.js'
import type { RedisServer } from '../helper/redis.js'
import { createKeyFolder } from './key-folder.js'
import { type Running, startProgram, until } from './program.js'
import { deadIds, type ProgramTarget } from './program-target.js'

const REPLICAS = 3
const WAITING = '{logtrail-bff:queue}:waiting'
/** A replica that was killed is one of the books for twice a lease: ten seconds. */
const INHERITED_MS = 30_000
/** Longer than a command may take. */
const PAUSE_MS = 2500

/**
 * Three times the whole program over one queue in Redis, asked in turn, as a balancer would. Killed is one of them at a time,
 * every other time the one that sends; or Redis itself, every other time only stopped for a while.
 */
export function createReplicasTarget(
  cwd: string,
  client: Redis,
  redis: RedisServer,
  victims: 'replicas' | 'redis',
  random: () => number
): ProgramTarget {
  const keys = createKeyFolder(join(cwd, 'secrets'))
  const answers: Record<string, number> = {}
  const runs: { came: number; went: number }[] = []
  let replicas: Running[] = []
  let turn = 0
  let kills = 0
  /** The name of each in Redis. */
  const names = new Map<Running, string>()

  async function books() {
    const all = await Promise.all(replicas.map(one => one.books()))
    const sum = (what: keyof (typeof all)[number]) => all.reduce((total, one) => total + one[what], 0)
    return {
      received: sum('received'),
      inherited: sum('inherited'),
      delivered: sum('delivered') + sum('filtered'),
      waiting: await client.xlen(WAITING),
      rejected: sum('rejected'),
      deadLetters: sum('deadLetters')
    } satisfies Books
  }

  async function sender(): Promise<Running | undefined> {
    const name = (await client.get('{logtrail-bff:queue}:lease'))?.split(':')[1]
    return replicas.find(one => name !== undefined && names.get(one) === name)
  }
  return {
    answers,
    runs,

    async start(upstream) {
      keys.put(upstream.keys)
      const env = {
        DELIVERY: 'queued',
        QUEUE_STORE: 'redis',
        REDIS_URL: redis.url,
        LOGTRAIL_URL: upstream.url,
        LOGTRAIL_API_KEY_FILE: keys.path,
        LOGTRAIL_MAX_BATCH: '50',
        LOGTRAIL_REQUESTS_PER_MINUTE: '6000',
        LOGTRAIL_TIMEOUT: '400ms',
        BATCH_MAX_WAIT: '20ms'
      }
      while (replicas.length < REPLICAS) {
        const before = new Set(await client.zrange('{logtrail-bff:queue}:replicas', '0', '-1'))
        const one = await startProgram(env, cwd)
        const after = await client.zrange('{logtrail-bff:queue}:replicas', '0', '-1')
        names.set(one, after.find(name => !before.has(name)) as string)
        replicas.push(one)
      }
    },

    async deliver(user, ids) {
      const entries = ids.map(id => entry({ metadata: { id } }))
      const one = replicas[turn++ % replicas.length]
      const answer = await one?.post(user.slice(2), entries.length === 1 ? entries[0] : entries)
      const status = String(answer?.status ?? 'none')
      answers[status] = (answers[status] ?? 0) + 1
      return status === '202'
    },

    rotate: async next => keys.put(next),

    waiting: () => client.xlen(WAITING),

    async kill() {
      if (victims === 'redis') {
        if (kills++ % 2 === 0) {
          redis.pause()
          await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
          redis.resume()
        } else {
          await redis.kill()
          await redis.start()
        }
        return
      }
      const sends = await sender()
      const victim =
        kills++ % 2 === 0 && sends !== undefined ? sends : replicas[Math.floor(random() * replicas.length)]!
      const { came, went } = await victim.books()
      runs.push({ came, went })
      replicas = replicas.filter(one => one !== victim)
      await victim.kill('SIGKILL')
    },

    async stop() {
      const balanced = async () => {
        const { received, inherited, delivered, waiting, rejected, deadLetters } = await books()
        return received + inherited === delivered + waiting + rejected + deadLetters
      }
      const late = performance.now() + INHERITED_MS
      await until(async () => performance.now() > late || (await balanced()))
      const last = await books()
      for (const one of replicas) {
        const { status } = await one.kill('SIGTERM')
        if (status !== 0) throw new Error(`SIGTERM ended it with ${status}`)
      }
      return last
    },

    async inspect() {
      const dead = await deadIds({ QUEUE_STORE: 'redis', REDIS_URL: redis.url }, cwd)
      return { dead, waiting: await client.xlen(WAITING) }
    }
  }
}
