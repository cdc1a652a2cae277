import t from 'tap'
import { createHistory, SERIES, SPAN } from '../../src/admin/history.js'
import { LatencyWindow } from '../../src/admin/latency.js'

function setup(t0 = 0) {
  let now = t0
  const sample = { received: 0, delivered: 0 } as Parameters<typeof createHistory>[0] extends () => infer S ? S : never
  const history = createHistory(
    () => ({ ...sample }),
    () => now
  )
  return {
    history,
    sample,
    pass(ms: number) {
      now += ms
      return history.tick()
    }
  }
}

t.test('a second is a point', async t => {
  const { history, sample, pass } = setup()
  history.request(201, undefined, 2)
  history.request(201, '', 4)
  history.request(429, 'RATE_LIMIT_USER_EXCEEDED', 1)
  history.request(499, undefined, 1)
  history.upstream(0.1)
  Object.assign(sample, { received: 7, delivered: 5, waiting: 2, ageSeconds: 3, budget: 9 })
  t.equal(pass(999), 0, 'not over yet')
  t.match(history.last(), { taken: null, waiting: null })
  t.equal(pass(1), 1)
  const point = history.last()
  t.match(point, { taken: 2, refused: 2, received: 7, delivered: 5, upstream: 1, waiting: 2, age: 3, budget: 9 })
  t.ok(point.p50! > 0.8 && point.p50! < 1.2, `p50 ${point.p50}`)
  t.ok(point.p99! > 3.6 && point.p99! < 4.4, `p99 ${point.p99}`)
  t.ok(point.upstream50! > 90 && point.upstream50! < 110, `upstream ${point.upstream50}`)
  t.same(history.refusals(), { RATE_LIMIT_USER_EXCEEDED: 1, 'HTTP 499': 1 })
  pass(1000)
  t.match(history.last(), { taken: 0, refused: 0, received: 0, delivered: 0 }, 'of entries the difference')
  t.match(history.lastMinute(), { taken: 2, refused: 2, received: 7, delivered: 5, upstream: 1 })
  const points = history.points()
  t.same(Object.keys(points), [...SERIES])
  t.equal(points.taken.length, SPAN)
  t.same(points.taken.slice(-3), [null, 2, 0], 'oldest first')
  for (let i = 0; i < 10; i++) pass(1000)
  t.equal(history.last().p50, null, 'without requests there is no latency')
  t.match(history.lastMinute().requestMs, { p50: Number })
  for (let i = 0; i < 50; i++) pass(1000)
  t.match(history.lastMinute(), { taken: 0, received: 0, requestMs: null, upstreamMs: null })
})

t.test('without queue and budget there is nothing to say of them', async t => {
  const { history, pass } = setup()
  pass(1000)
  t.match(history.last(), { waiting: null, age: null, budget: null, taken: 0 })
})

t.test('a standstill leaves empty seconds, and refusals are forgotten after the span', async t => {
  const { history, pass } = setup(12_345)
  history.request(503, 'QUEUE_FULL', 1)
  pass(1000)
  t.same(history.refusals(), { QUEUE_FULL: 1 })
  t.equal(pass(3000), 3)
  t.same(history.points().refused.slice(-4), [1, 0, 0, 0])
  t.equal(pass(3_600_000), 3600)
  t.same(history.refusals(), {})
  t.same(new Set(history.points().refused), new Set([0]))
})

t.test('reasons are bounded', async t => {
  const { history } = setup()
  for (let i = 0; i < 60; i++) history.request(400, `CODE_${i}`, 1)
  const found = history.refusals()
  t.equal(Object.keys(found).length, 49)
  t.equal(Object.entries(found)[0]![0], 'other', 'most first')
  t.equal(found.other, 12)
})

t.test('whether all clients are one', async t => {
  const { history, pass } = setup()
  t.same(history.clients(), { requests: 0, addresses: 'none', users: 'none', untrustedForwarding: false })
  history.client('192.0.2.1')
  history.client('192.0.2.1')
  history.user(undefined)
  history.user('a')
  history.user('a')
  t.match(history.clients(), { requests: 2, addresses: 'one', users: 'one' })
  history.user('b')
  t.match(history.clients(), { addresses: 'one', users: 'several' })
  history.untrustedForwarding()
  pass(SPAN * 1000)
  t.match(
    history.clients(),
    { requests: 2, users: 'several', untrustedForwarding: true },
    'the span before counts, too'
  )
  history.client('192.0.2.2')
  t.match(history.clients(), { requests: 3, addresses: 'several' })
  pass(SPAN * 1000)
  t.match(history.clients(), { requests: 1, addresses: 'one', users: 'none', untrustedForwarding: false })
  history.client('192.0.2.3')
  history.client('192.0.2.4')
  t.match(history.clients(), { addresses: 'several' })
})

t.test('quantiles: nearly right, whatever the durations', async t => {
  const window = new LatencyWindow()
  t.equal(window.quantiles(60), undefined)
  for (let i = 1; i <= 1000; i++) window.observe(i)
  const { p50, p95, p99 } = window.quantiles(1)!
  for (const [value, real] of [
    [p50, 500],
    [p95, 950],
    [p99, 990]
  ] as const) {
    t.ok(Math.abs(value / real - 1) < 0.07, `${value} for ${real}`)
  }
  for (const strange of [0, -1, Number.POSITIVE_INFINITY, 1e9]) window.observe(strange)
  t.match(window.quantiles(1), { p99: Number })
  for (let i = 0; i < 60; i++) window.turn()
  t.equal(window.quantiles(60), undefined, 'a minute later they are forgotten')
})

t.test('what a request costs is next to nothing', async t => {
  const { history } = setup()
  const start = process.cpuUsage()
  for (let i = 0; i < 200_000; i++) {
    history.request(201, '', 3.7)
    history.client('192.0.2.1')
    history.user('tag')
  }
  const { user, system } = process.cpuUsage(start)
  const each = (user + system) / 200_000
  t.comment(`${each.toFixed(3)} microseconds a request`)
  t.ok(each < 2, 'microseconds a request')
})
