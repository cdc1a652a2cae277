import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { systemClock } from '../../src/clock.js'
import { createBudget } from '../../src/delivery/budget.js'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { openHouse } from './house.js'

// The free plan's 120 requests a minute, forwarded one by one, would take 3,000 entries 25 minutes.
const USERS = 40
const EACH = 75

const LOADS = [
  { seconds: 0, headers: true },
  { seconds: 3, headers: true },
  { seconds: 3, headers: false }
]

/** Of a Logtrail that sends no X-RateLimit headers, and counts all the same. */
function untold() {
  return { ...createBudget({ requestsPerMinute: 120, clock: systemClock }), answered() {} }
}

for (const mode of ['queued', 'pooled'] as const) {
  for (const { seconds, headers } of LOADS) {
    t.test(`${mode}: 3,000 entries posted singly by 40 users within ${seconds} s, headers ${headers}`, async t => {
      const logtrail = await startLogtrail({ plan: 'free', latencyMs: 20 })
      t.teardown(() => logtrail.close())
      // Who is told nothing begins with an empty bucket: 60 requests then take half a minute.
      const blind = headers ? {} : { budget: untold(), poolTimeout: 60_000 }
      const options = { mode, logtrail, requestsPerMinute: 120, ...blind }
      const { deliver, books, delivery } = await openHouse(t, options)
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
