import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { openHouse } from './house.js'

// The free plan's 120 requests a minute, forwarded one by one, would take 3,000 entries 25 minutes.
const USERS = 40
const EACH = 75

for (const mode of ['queued', 'pooled'] as const) {
  for (const seconds of [0, 3]) {
    t.test(`${mode}: 3,000 entries posted singly by 40 users within ${seconds} s`, async t => {
      const logtrail = await startLogtrail({ plan: 'free', latencyMs: 20 })
      t.teardown(() => logtrail.close())
      const { deliver, books, delivery } = await openHouse(t, { mode, logtrail, requestsPerMinute: 120 })
      const began = performance.now()
      const receipts: Promise<unknown>[] = []
      for (let i = 0; i < EACH; i++) {
        for (let user = 0; user < USERS; user++) {
          receipts.push(deliver(String(user), `${user}-${i}`))
          // Spread evenly: this paces the load, nothing is waited for.
          if (seconds > 0 && user % 4 === 0) await sleep((seconds * 1000) / ((EACH * USERS) / 4) - 1)
        }
      }
      await Promise.all(receipts)
      await logtrail.waitFor(({ ids }) => ids.size === USERS * EACH, 55_000)
      t.ok(performance.now() - began < 60_000, `all delivered after ${Math.round(performance.now() - began)} ms`)
      await delivery.stop(1000)
      t.ok(logtrail.stats.requests <= 70, `in ${logtrail.stats.requests} requests`)
      t.strictSame(Object.keys(logtrail.stats.answers), ['201'], 'none of them refused')
      t.ok(
        [...logtrail.ids.values()].every(times => times === 1),
        'each once'
      )
      t.equal(books.delivered, USERS * EACH)
      const places = new Map([...logtrail.ids.keys()].map((id, at) => [id, at]))
      for (let user = 0; user < USERS; user++) {
        for (let i = 1; i < EACH; i++) {
          if (places.get(`${user}-${i}`)! < places.get(`${user}-${i - 1}`)!) t.fail(`${user}-${i} is out of order`)
        }
      }
    })
  }
}
