/**
 * Three replicas of the whole program over one queue in Redis, as processes, over HTTP: faults of every kind, keys that change,
 * SIGKILLs at random, of replicas or of Redis. What any of them answered 202 is at the stand-in or a dead letter in the end, each user's order held, and
 * the books balance over those that live.
 *
 *   ORACLE_SECONDS=3600 npx tap --timeout=0 --disable-coverage test/oracle/replicas.test.ts
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { judge } from '../delivery/oracle/findings.js'
import { consult } from '../delivery/oracle/oracle.js'
import { createRandom } from '../delivery/random.js'
import { startRedis } from '../helper/redis.js'
import { createReplicasTarget } from './replicas-target.js'

const seconds = Number(process.env.ORACLE_SECONDS ?? 25)
const seed = Number(process.env.ORACLE_SEED ?? Date.now() % 1_000_000)

const redis = await startRedis({ appendonly: 'yes', appendfsync: 'always' })
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.setTimeout((2 * seconds + 800) * 1000)
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url, { retryStrategy: () => 50 })
  client.on('error', () => {})
  t.teardown(() => client.disconnect())

  const asked = async (t: Test, victims: 'replicas' | 'redis', errors: readonly string[]) => {
    await client.flushall()
    const cwd = await mkdtemp(join(tmpdir(), 'oracle-'))
    t.teardown(() => rm(cwd, { recursive: true, force: true }))
    const target = createReplicasTarget(cwd, client, redis, victims, createRandom(seed))
    t.teardown(() => target.stop().catch(() => {}))
    const order = victims === 'redis' ? 'acknowledged' : 'stored'
    const kills = Math.max(4, Math.round(seconds / 8))
    const findings = await consult(target, { seed, seconds, kills, order })
    const { answers: browsers, runs } = target
    judge(t, findings, { least: 10 * seconds, browsers, errors, comment: { runs } })
  }

  t.test(`nothing answered 202 is lost, over faults and SIGKILLs of replicas (ORACLE_SEED=${seed})`, t =>
    asked(t, 'replicas', [])
  )

  t.test(`nor when Redis stands still, dies and comes back (ORACLE_SEED=${seed})`, t => asked(t, 'redis', ['503']))
}
