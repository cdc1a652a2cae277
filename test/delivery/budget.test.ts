import t from 'tap'
import { createBudget, type Ticket } from '../../src/delivery/budget.js'
import { createFakeClock } from './fake-clock.js'
import { createRandom } from './random.js'

const rates = (limit: number, remaining: number, reset?: number) => ({
  'x-ratelimit-limit': String(limit),
  'x-ratelimit-remaining': String(remaining),
  ...(reset === undefined ? {} : { 'x-ratelimit-reset': String(reset) })
})

/** Takes all there is. */
function drain(budget: ReturnType<typeof createBudget>): Ticket[] {
  const tickets: Ticket[] = []
  for (let ticket = budget.take(); ticket !== undefined; ticket = budget.take()) tickets.push(ticket)
  return tickets
}

t.test('begins with little, since nobody knows what an earlier run has left', async t => {
  const budget = createBudget({ requestsPerMinute: 120, clock: createFakeClock() })
  t.equal(budget.remaining(), 2)
  t.equal(budget.proven(), false)
})

t.test('believes the first answer, also where it says there is more', async t => {
  const budget = createBudget({ requestsPerMinute: 120, clock: createFakeClock() })
  const ticket = budget.take()!
  budget.answered(ticket, rates(120, 119))
  budget.succeeded(ticket)
  t.equal(budget.remaining(), 115, 'less the margin')
  t.equal(budget.proven(), true)
  const second = budget.take()!
  budget.answered(second, rates(120, 119))
  t.equal(budget.remaining(), 114, 'later answers never raise it')
})

t.test('refills at nearly the rate, up to less than a minute of it', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 600, clock })
  drain(budget)
  t.equal(budget.take(), undefined)
  t.ok(budget.wait() > 90 && budget.wait() <= 102, `${budget.wait()}`)
  await clock.advance(1000)
  t.equal(drain(budget).length, 9)
  await clock.advance(300_000)
  t.equal(budget.remaining(), 580)
  t.equal(budget.fullness(), 1)
})

t.test('a lower remaining lowers ours, and several answers that tell one difference lower it once', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock })
  await clock.advance(60_000)
  t.equal(budget.remaining(), 116)
  const [a, b, c] = [budget.take()!, budget.take()!, budget.take()!]
  budget.succeeded(a)
  // Someone else uses the key: 50 are left after these three.
  budget.answered(a, rates(120, 52))
  budget.answered(b, rates(120, 51))
  budget.answered(c, rates(120, 50))
  t.equal(budget.remaining(), 48)
  budget.answered(budget.take()!, rates(120, 0))
  t.equal(budget.remaining(), 0)
  t.ok(budget.wait() < 3000, 'never so low that it takes long to come back')
})

t.test('a lower limit lowers the rate, until it is raised again; a higher one than configured does not', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock })
  await clock.advance(60_000)
  budget.answered(budget.take()!, rates(60, 59))
  t.ok(Math.abs(budget.interval() - 1000 / 0.99) < 1)
  t.ok(budget.remaining() <= 58, `${budget.remaining()}`)
  budget.answered(budget.take()!, rates(1000, 999))
  t.ok(Math.abs(budget.interval() - 500 / 0.99) < 1)
  budget.answered(budget.take()!, rates(0, 10))
  t.ok(Math.abs(budget.interval() - 500 / 0.99) < 1, 'a limit of nothing is no limit')
})

t.test('headers that are no numbers are passed over', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock })
  await clock.advance(60_000)
  const ticket = budget.take()!
  budget.answered(ticket, { 'x-ratelimit-limit': 'many', 'x-ratelimit-remaining': '' })
  budget.answered(ticket, { 'x-ratelimit-remaining': '-3' })
  t.equal(budget.remaining(), 115)
})

t.test('429: pauses for Retry-After, then sends one to see', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock, random: () => 0 })
  await clock.advance(60_000)
  const early = budget.take()!
  const refused = budget.take()!
  budget.succeeded(early)
  await clock.advance(10)
  budget.limited(refused, 7000, {})
  t.equal(budget.reason(), 'rate')
  t.equal(budget.take(), undefined)
  t.equal(budget.remaining(), 0)
  t.equal(budget.pausedFor(), 7000)
  t.equal(budget.overIn(), 7000)
  budget.succeeded(early)
  t.equal(budget.reason(), 'rate', 'what was sent before says nothing of now')
  t.equal(budget.proven(), false)
  await clock.advance(7000)
  const probe = budget.take()!
  t.ok(probe)
  budget.succeeded(probe)
  t.equal(budget.reason(), undefined)
  t.equal(budget.overIn(), 0)
  t.equal(budget.proven(), true)
})

t.test('429: our own next try comes a little later than Logtrail says, what is told does not', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock, random: () => 1 })
  budget.limited(budget.take()!, 30_000, {})
  t.equal(budget.overIn(), 30_000)
  t.equal(budget.pausedFor(), 31_000)
})

t.test('a Retry-After is waited out whole, however long; only a spent month is asked about meanwhile', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock, random: () => 0 })
  budget.limited(budget.take()!, 7_200_000, {})
  t.equal(budget.pausedFor(), 7_200_000)
  t.equal(budget.overIn(), 7_200_000)
  await clock.advance(7_199_000)
  t.equal(budget.take(), undefined)
  await clock.advance(1000)
  t.ok(budget.take())
})

t.test('429 without Retry-After: backoff with full jitter, at most until the reset that is told', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock, random: () => 1 })
  const pauses: number[] = []
  for (let i = 0; i < 8; i++) {
    await clock.advance(budget.wait())
    budget.limited(budget.take()!, i === 3 ? 0 : undefined, {})
    pauses.push(budget.pausedFor())
  }
  t.strictSame(pauses, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000])
  await clock.advance(budget.wait())
  budget.limited(budget.take()!, undefined, rates(120, 0, clock.wall() / 1000 + 3))
  t.equal(budget.pausedFor(), 3000)
  await clock.advance(budget.wait())
  budget.limited(budget.take()!, undefined, rates(120, 0, clock.wall() / 1000 - 3))
  t.equal(budget.pausedFor(), 60_000, 'a reset that is over (of another clock) says nothing')
})

t.test('429 to several under way together is one refusal', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock, random: () => 1 })
  await clock.advance(60_000)
  const tickets = [budget.take()!, budget.take()!, budget.take()!]
  await clock.advance(100)
  for (const ticket of tickets) budget.limited(ticket, undefined, {})
  t.equal(budget.pausedFor(), 1000)
})

t.test('a spent month: one probe an hour, until it is over', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 120, clock })
  const until = Date.UTC(2026, 11, 1)
  budget.spent(until)
  t.equal(budget.reason(), 'quota')
  t.equal(budget.pausedFor(), 3_600_000)
  t.equal(budget.overIn(), until - clock.wall())
  await clock.advance(3_600_000)
  t.equal(budget.wait(), 0)
  t.ok(budget.take())
  budget.spent(until)
  t.ok(budget.wait() > 3_500_000)
  clock.jump(until - clock.wall() - 5000)
  await clock.advance(3_600_000)
  budget.spent(until)
  t.equal(budget.pausedFor(), 1000, 'over by the clock, and not by Logtrail')
  await clock.advance(1000)
  const probe = budget.take()!
  budget.succeeded(probe)
  t.equal(budget.reason(), undefined)
})

t.test('a plan of one request a minute', async t => {
  const clock = createFakeClock()
  const budget = createBudget({ requestsPerMinute: 1, clock })
  t.ok(budget.take())
  t.equal(budget.take(), undefined)
  await clock.advance(61_000)
  t.ok(budget.take())
})

interface Simulation {
  perMinute: number
  headers: boolean
  seconds: number
  concurrency: number
  latency: () => number
  /** Whether there is something to send at this time. */
  busy: (at: number) => boolean
  restartAt?: number
  /** Share of Logtrail's bucket that is there at the start. */
  begin?: number
}

/** Budget against a bucket as Logtrail's, over a network that delays both ways at random, in steps of 5 ms. */
async function simulate({ perMinute, headers, seconds, concurrency, latency, busy, restartAt, begin = 1 }: Simulation) {
  let now = 0
  const clock = { ...createFakeClock(), now: () => now, wall: () => now }
  let budget = createBudget({ requestsPerMinute: perMinute, clock, random: () => 0.5 })
  let tokens = perMinute * begin
  let under = 0
  let served = 0
  let refused = 0
  const events: { at: number; run: () => void }[] = []
  const at = (ms: number, run: () => void) => events.push({ at: now + ms, run })
  for (; now < seconds * 1000; now += 5) {
    tokens = Math.min(perMinute, tokens + (5 * perMinute) / 60_000)
    for (const event of events.splice(0)) event.at <= now ? event.run() : events.push(event)
    if (restartAt !== undefined && now === restartAt) {
      budget = createBudget({ requestsPerMinute: perMinute, clock })
      under = 0
    }
    while (busy(now) && under < (budget.proven() ? concurrency : 1)) {
      const ticket = budget.take()
      if (ticket === undefined) break
      const mine = budget
      under++
      at(latency() / 2, () => {
        const let_in = tokens >= 1
        if (let_in) tokens--
        const told = headers ? rates(perMinute, Math.floor(tokens)) : {}
        at(latency() / 2, () => {
          mine.answered(ticket, told)
          if (let_in) {
            served++
            mine.succeeded(ticket)
          } else {
            refused++
            mine.limited(ticket, undefined, told)
          }
          if (mine === budget) under--
        })
      })
    }
  }
  return { served, refused }
}

t.test('against a token bucket over a jittery network: no 429, and the plan is used up', async t => {
  for (const perMinute of [10, 120, 300, 1000]) {
    for (const headers of [true, false]) {
      for (const worst of [20, 500, 1900]) {
        const random = createRandom(perMinute + worst)
        const latency = () => worst * (0.1 + 0.9 * random())
        const seconds = 120
        const concurrency = 40
        const all = await simulate({ perMinute, headers, seconds, concurrency, latency, busy: () => true })
        const name = `${perMinute} a minute, up to ${worst} ms, headers ${headers}`
        t.equal(all.refused, 0, `${name}: no 429`)
        t.ok(all.served >= (0.95 * perMinute * seconds) / 60 - 1, `${name}: ${all.served} served`)

        const bursts = (at: number) => Math.floor(at / 13_000) % 2 === 0
        const burst = await simulate({ perMinute, headers, seconds, concurrency, latency, busy: bursts })
        t.equal(burst.refused, 0, `${name}: no 429 after bursts`)
      }
    }
  }
})

t.test('a restart with an empty bucket, and a start with one that others have emptied', async t => {
  for (const perMinute of [120, 1000]) {
    const random = createRandom(perMinute)
    const latency = () => 20 + 200 * random()
    const simulation = { perMinute, headers: true, seconds: 90, concurrency: 16, latency, busy: () => true }
    const again = await simulate({ ...simulation, restartAt: 60_000 })
    t.equal(again.refused, 0, 'no 429 after a restart')
    const others = await simulate({ ...simulation, begin: 0.01 })
    t.ok(others.refused <= 1, `${others.refused}`)
    t.ok(others.served >= 0.9 * perMinute * 1.5, `${others.served} served`)
  }
})
