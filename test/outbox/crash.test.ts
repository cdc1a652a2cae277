/**
 * SIGKILL at any moment loses nothing that an append resolved for. One queue, killed many times in the middle of appends,
 * deliveries and starts; SEED repeats a run, KILLS makes it longer.
 *
 * What a kill cannot show is a missing sync, for the kernel keeps what was written: see sync.test.ts.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import t from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { child, childEnv } from './child.js'
import { folder } from './folder.js'

const KILLS = Number(process.env.KILLS ?? 8)

t.test('every append that resolved is there after a SIGKILL', { timeout: KILLS * 20_000 }, async t => {
  const seed = Number(process.env.SEED ?? Date.now() % 1e9)
  t.comment(`SEED=${seed} KILLS=${KILLS}`)
  let state = seed >>> 0
  const random = (end: number) => {
    state = (Math.imul(state, 22695477) + 1) >>> 0
    return Math.floor((state / 4294967296) * end)
  }

  const path = folder(t)
  /** Number of an entry and its user, in the order in which the appends resolved. */
  const stored = new Map<number, number>()
  const sent = new Set<number>()
  for (let kill = 0; kill < KILLS; kill++) {
    const first = kill * 1_000_000
    const args = [...child('append.ts'), path, String(first), String(random(1e9))]
    const process_ = spawn(process.execPath, args, { env: childEnv, stdio: ['ignore', 'pipe', 'inherit'] })
    t.teardown(() => process_.kill('SIGKILL'))
    // Some die while they start, at the first line that they say; some after a thousand.
    const until = random(4) === 0 ? 1 : random(3000)
    let lines = 0
    for await (const line of createInterface({ input: process_.stdout })) {
      // The last one may be cut off.
      if (!line.endsWith(';')) continue
      const [word, n, user] = line.slice(0, -1).split(' ')
      if (word === 'stored') stored.set(Number(n), Number(user))
      else if (word === 'sending') sent.add(Number(n))
      else t.fail(line)
      if (++lines === until) process_.kill('SIGKILL')
    }
    if (process_.exitCode === null && process_.signalCode === null) await once(process_, 'exit')
    t.equal(process_.signalCode, 'SIGKILL')
  }

  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  const { inherited, damage } = await outbox.start()
  t.equal(damage, undefined)
  const claimed = await outbox.claim({ entries: 1_000_000, bytes: 1e9 })
  await outbox.stop()
  t.equal(claimed.length, inherited)
  const found = new Map(claimed.map(({ body, user }) => [JSON.parse(body).n as number, user]))
  const missing = [...stored].filter(([n, user]) => !sent.has(n) && found.get(n) !== `u:${user}`)
  t.same(missing, [], `of ${stored.size} stored, ${sent.size} were sent and ${found.size} are there`)
  t.equal(found.size, claimed.length, 'none is there twice')

  for (let user = 0; user < 5; user++) {
    const order = claimed.filter(one => one.user === `u:${user}`).map(({ body }) => JSON.parse(body).n as number)
    // Appends of one user that run at the same time are numbered in the order of their calls.
    t.same(
      order,
      order.toSorted((a, b) => a - b)
    )
  }
})
