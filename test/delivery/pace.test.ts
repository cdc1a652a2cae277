import t from 'tap'
import { paceOf } from '../../src/delivery/pace.js'
import { createPool } from './pool.js'
import { taken } from './upstream.js'

/** Milliseconds, to 5 ms, until a post is answered by an upstream that takes 20 ms. */
async function createPosts(requestsPerMinute: number) {
  const { clock, upstream, deliver } = await createPool({ requestsPerMinute, cold: true })
  upstream.respond = () => new Promise(resolve => clock.setTimeout(() => resolve(taken()), 20))
  let posts = 0
  async function post(): Promise<number> {
    const began = clock.now()
    let done = false
    deliver('ann', [posts++]).then(() => {
      done = true
    }, t.fail)
    while (!done) await clock.advance(5)
    return clock.now() - began - 20
  }
  return { clock, upstream, post }
}

t.test('requests are kept apart by no more than a little over one interval', async t => {
  const at = (fullness: number) => paceOf({ interval: 500, fullness, longest: 5000 })
  t.equal(at(1), 0)
  t.equal(at(0.9).toFixed(3), '200.000')
  t.equal(at(0.75), 500, 'where any load settles')
  t.equal(at(0.5), 625)
  t.equal(at(0), 625)
  t.equal(paceOf({ interval: 60_000, fullness: 0, longest: 5000 }), 5000)
})

for (const [requestsPerMinute, most] of [
  [120, 700],
  [300, 300],
  [1000, 100]
] as const) {
  t.test(`one post after the other, ${requestsPerMinute} a minute, an upstream without rate headers`, async t => {
    const { post } = await createPosts(requestsPerMinute)
    const waits: number[] = []
    for (let i = 0; i < 40; i++) waits.push(await post())
    t.ok(waits[0]! < 50, `the first after ${waits[0]} ms`)
    const median = [...waits].sort((a, b) => a - b)[20]!
    t.ok(median < most, `each after ${median} ms`)
    t.ok(Math.max(...waits) < most, `the last of all after ${Math.max(...waits)} ms`)
  })
}

t.test('a post some time after the last goes at once, however empty the budget', async t => {
  const { clock, post } = await createPosts(120)
  for (let i = 0; i < 5; i++) await post()
  for (let i = 0; i < 5; i++) {
    await clock.advance(5000)
    const wait = await post()
    t.ok(wait <= 5, `${wait} ms`)
  }
})

t.test('a budget that was drained recovers under load that never ends', async t => {
  const { clock, upstream, deliver, budget } = await createPool({ requestsPerMinute: 120, cold: true })
  upstream.respond = () => new Promise(resolve => clock.setTimeout(() => resolve(taken()), 20))
  const loads: Promise<unknown>[] = []
  const before: number[] = []
  for (let second = 0; second < 300; second++) {
    if (second % 60 === 59) before.push(budget.fullness())
    for (let i = 0; i < 10; i++) {
      loads.push(deliver(`u${(second * 10 + i) % 100}`, [second * 10 + i]))
      await clock.advance(100)
    }
  }
  await clock.advance(1000)
  await Promise.all(loads)
  t.ok(before[0]! > 0.15 && before[1]! > 0.35 && before[2]! > 0.55, `${before}`)
  t.ok(before[4]! > 0.7 && before[4]! < 0.8, 'and settles with a reserve')
})
