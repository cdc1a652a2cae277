import t from 'tap'
import { createPool } from './pool.js'
import { createRandom } from './random.js'
import { answer, taken } from './upstream.js'

for (const timeout of [15_000, 5000]) {
  t.test(`every fourth answer is a 500, three users, POOL_TIMEOUT ${timeout} ms`, async t => {
    const waits: number[] = []
    for (let seed = 1; seed <= 10; seed++) {
      const random = createRandom(seed)
      const { clock, upstream, deliver } = await createPool({ requestsPerMinute: 1000, random, timeout })
      let count = 0
      upstream.respond = () => {
        const reply = ++count % 4 === 0 ? answer(500) : taken()
        return new Promise(resolve => clock.setTimeout(() => resolve(reply), 5 + 50 * random()))
      }
      let going = true
      const users = ['ann', 'bob', 'eve'].map(async user => {
        for (let i = 0; going; i++) {
          const began = clock.now()
          await deliver(user, [`${user}-${i}`])
          waits.push(clock.now() - began)
          await new Promise<void>(resolve => clock.setTimeout(resolve, 200 * random()))
        }
      })
      await clock.advance(30_000)
      going = false
      await clock.advance(timeout)
      await Promise.all(users)
    }
    waits.sort((a, b) => a - b)
    const [median, last] = [waits[waits.length >> 1]!, waits.at(-1)!]
    t.ok(median < 100, `half of them within ${median} ms`)
    t.ok(last < timeout / 5, `the last within ${Math.round(last)} ms`)
  })
}
