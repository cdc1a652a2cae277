import type { Redis } from 'ioredis'
import t from 'tap'
import { createReplicas } from '../../src/outbox/redis/replicas.js'

t.test(
  'once a replica of Redis has not confirmed in time, whoever asked meanwhile does not wait for it either',
  async t => {
    const waits: ((count: number) => void)[] = []
    const told: boolean[] = []
    const redis = {
      info: async () => 'role:master\r\nconnected_slaves:1\r\n',
      wait: () => new Promise<number>(resolve => waits.push(resolve))
    } as unknown as Redis
    const replicas = createReplicas(redis, lagging => told.push(lagging))
    t.equal(replicas.confirmed(), undefined, 'nobody is waited for before it is known that there is one')
    await replicas.look()
    const first = replicas.confirmed()
    await new Promise(resolve => setImmediate(resolve))
    const second = replicas.confirmed()
    t.equal(replicas.confirmed(), second, 'one question for all')
    t.equal(waits.length, 1)
    waits[0]?.(0)
    await Promise.all([first, second])
    t.equal(waits.length, 1)
    t.same(told, [true])
    t.equal(replicas.confirmed(), undefined)
    await replicas.look()
    const again = replicas.confirmed()
    await new Promise(resolve => setImmediate(resolve))
    waits[1]?.(1)
    await again
    t.same(told, [true, false])
  }
)
