import t from 'tap'
import { CountStore } from '../../src/guard/count-store.js'

const WINDOW = 60_000
const MAX = 3

/** As @fastify/rate-limit asks. */
function ask(store: CountStore, key: string, max = MAX): { current: number; ttl: number } {
  let answer: { current: number; ttl: number } | undefined
  store.incr(
    key,
    (error, result) => {
      if (error) throw error
      answer = result
    },
    WINDOW,
    max
  )
  return answer!
}

/** How many of the keys are remembered, asked for from the last one back to the first that is not. */
function remembered(store: CountStore, keys: string[]): number {
  return keys.length - 1 - keys.findLastIndex(key => ask(store, key).current === 1)
}

t.test('counts by fixed windows that begin with the first request', async t => {
  let now = 1000
  const store = new CountStore(() => now)
  t.same(ask(store, 'a'), { current: 1, ttl: WINDOW })
  now += 100
  t.same(ask(store, 'a'), { current: 2, ttl: WINDOW - 100 })
  t.same(ask(store, 'b'), { current: 1, ttl: WINDOW })
  now += WINDOW - 101
  t.same(ask(store, 'a'), { current: 3, ttl: 1 })
  now += 1
  t.same(ask(store, 'a'), { current: 1, ttl: WINDOW }, 'a window over begins anew')
})

t.test('by the clock of the machine where none is given', async t => {
  const store = new CountStore()
  t.same(ask(store, 'a').current, 1)
  t.same(ask(store, 'a').current, 2)
})

t.test('asked without a window, nothing breaks', async t => {
  const store = new CountStore()
  store.incr('a', (_error, result) => t.same(result, { current: 1, ttl: 0 }))
})

t.test('a child counts for itself, by the same clock and bound', async t => {
  let now = 0
  const store = new CountStore(() => now, 10)
  ask(store, 'a')
  const child = store.child()
  t.equal(ask(child, 'a').current, 1)
  t.equal(ask(store, 'a').current, 2)
  now += WINDOW
  t.equal(ask(child, 'a').current, 1)
  const others = Array.from({ length: 50 }, (_, n) => `other${n}`)
  for (const key of others) ask(child, key)
  t.ok(remembered(child, others) <= 10)
})

t.test('address churn never resets an offender', async t => {
  const now = 0
  const store = new CountStore(() => now, 1000)
  for (let n = 0; n < MAX + 1; n++) ask(store, 'offender')
  const churn = Array.from({ length: 20_000 }, (_, n) => `churn${n}`)
  for (const key of churn) ask(store, key)
  t.equal(ask(store, 'offender').current, MAX + 2)
  t.ok(remembered(store, churn) < 1000, 'and memory stays bounded')
})

t.test('what has ended is forgotten first, then those within their limit, offenders last', async t => {
  let now = 0
  const store = new CountStore(() => now, 10)
  for (let n = 0; n < 3; n++) ask(store, `ended${n}`)
  now += WINDOW
  for (let n = 0; n < 7; n++) ask(store, `kept${n}`)
  ask(store, 'new')
  for (let n = 0; n < 7; n++)
    t.equal(ask(store, `kept${n}`).current, 2, 'who is within a window stays, if there is room')

  const full = new CountStore(() => now, 10)
  for (let n = 0; n < 10; n++) for (let times = 0; times <= MAX; times++) ask(full, `offender${n}`)
  ask(full, 'new')
  t.equal(ask(full, 'offender9').current, MAX + 2)
  t.equal(ask(full, 'offender0').current, 1, 'with nothing but offenders, the one whose window ends first goes')
})

t.test('a window that begins anew is the latest, and nothing of the one before counts in it', async t => {
  let now = 0
  const store = new CountStore(() => now, 10)
  ask(store, 'again')
  now += WINDOW
  for (let n = 0; n < 9; n++) ask(store, `kept${n}`)
  ask(store, 'again')
  ask(store, 'new')
  t.equal(ask(store, 'again').current, 2, 'it is not forgotten before those that began before it')
  t.equal(ask(store, 'kept0').current, 1)

  const full = new CountStore(() => now, 10)
  for (let times = 0; times <= MAX; times++) ask(full, 'reformed')
  now += WINDOW
  for (let n = 0; n < 9; n++) for (let times = 0; times <= MAX; times++) ask(full, `offender${n}`)
  ask(full, 'reformed')
  ask(full, 'new')
  t.equal(ask(full, 'offender0').current, MAX + 2, 'who offended in another window is forgotten before an offender')
  t.equal(ask(full, 'reformed').current, 1)
})

t.test('whoever was refused entries is an offender, too', async t => {
  const store = new CountStore(() => 0, 10)
  store.take('offender', WINDOW, MAX, MAX)
  t.match(store.take('offender', WINDOW, MAX, 1), { exceeded: true })
  for (let n = 0; n < 50; n++) ask(store, `churn${n}`)
  t.match(store.take('offender', WINDOW, MAX, 1), { current: MAX, exceeded: true })
})

t.test('a flood of new keys costs one sweep in many', async t => {
  const store = new CountStore(() => 0, 20_000)
  const started = process.cpuUsage()
  for (let n = 0; n < 200_000; n++) ask(store, `k${n}`)
  const { user } = process.cpuUsage(started)
  t.ok(user < 5_000_000, `took ${Math.round(user / 1000)} ms of CPU`)
})

t.test('room for one', async t => {
  const store = new CountStore(() => 0, 1)
  ask(store, 'a')
  t.equal(ask(store, 'b').current, 1)
  t.equal(ask(store, 'a').current, 1)
})
