import t from 'tap'
import type { Claimed } from '../../src/outbox/outbox.js'
import type { Scripts } from '../../src/outbox/redis/scripts.js'
import { Window } from '../../src/outbox/redis/window.js'
import { startRedis } from '../helper/redis.js'
import { entry } from './behaviour.js'
import { emptied, replica } from './redis-outbox.js'

type Found = Awaited<ReturnType<Scripts['read']>>

const ALL = { entries: 100, bytes: 1e6 }
const stored = (id: number, user = 'u:ada', body = `{"n":${id}}`): [string, string[]] => [
  `${id}-0`,
  ['user', user, 'at', '1000', 'body', body, 'from', 'here']
]

/** A window over a stream that answers as it is told. */
function windowOver(...answers: (Found | Promise<Found>)[]) {
  const asked: string[] = []
  const read = async (_holder: string, _count: number, after: string) => {
    asked.push(after)
    return answers.shift()
  }
  return { window: new Window({ read } as unknown as Scripts), asked }
}

t.test('where another holds the lease, nothing is read', async t => {
  const { window } = windowOver(undefined)
  t.equal(await window.fill('1'), false)
  t.same(window.take(ALL), [])
})

t.test('an answer to a lease that has ended meanwhile is of no use', async t => {
  let answer: (found: Found) => void = () => {}
  const { window } = windowOver(
    new Promise<Found>(resolve => {
      answer = resolve
    })
  )
  const filled = window.fill('1')
  window.clear()
  answer([stored(1)])
  t.equal(await filled, true)
  t.same(window.take(ALL), [])
})

t.test('nor is it of any that none comes', async t => {
  let fail: (error: Error) => void = () => {}
  const { window, asked } = windowOver(
    new Promise<Found>((_, reject) => {
      fail = reject
    }),
    [stored(1)],
    [],
    []
  )
  const filled = window.fill('1')
  window.clear()
  fail(new Error('Connection is closed.'))
  await t.rejects(filled, { message: 'Connection is closed.' })
  t.equal(await window.fill('2'), true)
  t.match(window.take(ALL), [{ id: 1 }])
  t.same(asked, ['0', '0', '1-0', '>'])
})

t.test('what is settled here, and not yet in Redis, is not taken again', async t => {
  const { window, asked } = windowOver([], [stored(1)], [stored(1), stored(2)], [], [])
  await window.fill('1')
  t.match(window.take(ALL), [{ id: 1, user: 'u:ada' }])
  window.settle([1], true)
  window.clear()
  await window.fill('2')
  t.match(window.take(ALL), [{ id: 2 }])
  t.same(asked, ['0', '>', '0', '2-0', '>'])
  t.equal(window.settled.size, 1)
})

t.test('what another process answers for meanwhile is confirmed without harm', async t => {
  const { window } = windowOver([], [stored(1)])
  await window.fill('1')
  window.take(ALL)
  window.settle([1], true)
  t.ok(window.settledBytes > 0)
  window.disown()
  window.confirmed([1])
  t.equal(window.settledBytes, 0)
})

/** A window over a stream of one user's entries without end, and how much of it was read. */
function windowOverOne(body?: string, most?: number) {
  let last = 0
  const read = async (_holder: string, count: number, after: string) =>
    after === '>' ? Array.from({ length: count }, () => stored(++last, 'u:ada', body)) : []
  return { window: new Window({ read } as unknown as Scripts, most), last: () => last }
}

t.test('what waits behind a claimed entry of its user does not fill the window, up to a bound', async t => {
  const { window, last } = windowOverOne('{}', 128 * 1024 * 1024)
  await window.fill('1')
  t.equal(last(), 20_000)
  t.match(window.take({ entries: 1, bytes: 1e6 }), [{ id: 1 }])
  await window.fill('1')
  t.equal(last(), 200_000)
  window.release([1])
  await window.fill('1')
  t.equal(last(), 200_000)
  t.same(
    window.take(ALL).map(({ id }) => id),
    Array.from({ length: 100 }, (_, i) => i + 1)
  )
})

t.test('and so do its bytes', async t => {
  const mega = 1024 * 1024
  const { window, last } = windowOverOne('x'.repeat(mega / 8), 128 * mega)
  await window.fill('1')
  t.equal(last(), 500, 'in the steps that it reads in')
  window.take({ entries: 1, bytes: 1e6 })
  await window.fill('1')
  t.equal(last(), 1500)
})

t.test('a small heap holds less, and counts what each entry takes beside its body', async t => {
  const { window, last } = windowOverOne('x', 30_000 * 300)
  await window.fill('1')
  window.take({ entries: 1, bytes: 1e6 })
  await window.fill('1')
  t.equal(last(), 30_000)
})

t.test('what can be claimed does not wait until all is read that cannot', async t => {
  let last = 0
  const read = async (_holder: string, count: number, after: string) =>
    after === '>' ? Array.from({ length: count }, () => stored(++last, last === 2 ? 'u:bob' : 'u:ada')) : []
  const window = new Window({ read } as unknown as Scripts)
  await window.fill('1')
  t.match(window.take({ entries: 1, bytes: 1e6 }), [{ id: 1 }])
  await window.fill('1')
  t.equal(last, 40_000)
  t.match(window.take(ALL), [{ id: 2, user: 'u:bob' }])
})

const redis = await startRedis()
if (!redis) t.comment('the rest needs redis-server')
else {
  emptied(t, redis)

  const MANY = 31_000
  const ids = (claimed: readonly Claimed[]) => claimed.map(({ id }) => id)
  const numbers = (claimed: readonly Claimed[]) => claimed.map(({ body }) => JSON.parse(body).n)

  for (const ending of ['acknowledge', 'release'] as const) {
    t.test(`one user's claimed entry with ${MANY} behind it holds up nobody else: ${ending}`, async t => {
      const { outbox } = replica(t, redis.url)
      await outbox.start()
      await outbox.append([entry('u:stuck', 0)])
      const stuck = await outbox.claim({ entries: 1, bytes: 1e6 })
      t.same(numbers(stuck), [0])
      for (let n = 1; n < MANY; n += 1000) {
        await outbox.append(Array.from({ length: 1000 }, (_, i) => entry('u:stuck', n + i)))
      }
      await outbox.append(Array.from({ length: 1000 }, (_, i) => entry(`u:${i % 100}`, i)))
      const seen = new Map<string, number[]>()
      for (let left = 1000; left > 0; ) {
        const claimed = await outbox.claim({ entries: 100, bytes: 1e6 })
        if (!t.ok(claimed.length > 0)) return
        for (const { user, body } of claimed) seen.set(user, [...(seen.get(user) ?? []), JSON.parse(body).n])
        left -= claimed.length
        await outbox.acknowledge(ids(claimed))
      }
      const expected = Array.from({ length: 100 }, (_, i) => [
        `u:${i}`,
        Array.from({ length: 10 }, (_, turn) => i + 100 * turn)
      ])
      t.same(Object.fromEntries(seen), Object.fromEntries(expected))
      t.same(await outbox.claim({ entries: 100, bytes: 1e6 }), [])

      await outbox[ending](ids(stuck))
      const rest: number[] = ending === 'acknowledge' ? [0] : []
      for (let claimed: Claimed[] = []; rest.length <= MANY; await outbox.acknowledge(ids(claimed))) {
        claimed = await outbox.claim({ entries: 5000, bytes: 1e7 })
        if (claimed.length === 0) break
        rest.push(...numbers(claimed))
      }
      t.same(
        rest,
        Array.from({ length: MANY + 1 }, (_, n) => n),
        'each once, in order'
      )
    })
  }
}
