import t from 'tap'
import { createMetrics, OUTCOMES } from '../../src/admin/metrics.js'
import { entry, startProxy } from '../helper/proxy.js'
import { sampleOf, scrape } from './scrape.js'

/** The interface's list, with its labels. */
const NAMES: Record<string, string[]> = {
  logtrail_bff_requests_total: ['route', 'status', 'error_code'],
  logtrail_bff_entries_total: ['outcome'],
  logtrail_bff_upstream_requests_total: ['status'],
  logtrail_bff_upstream_duration_seconds_bucket: ['le'],
  logtrail_bff_upstream_duration_seconds_sum: [],
  logtrail_bff_upstream_duration_seconds_count: [],
  logtrail_bff_queue_entries: [],
  logtrail_bff_queue_bytes: [],
  logtrail_bff_queue_oldest_age_seconds: [],
  logtrail_bff_plan_logs_per_month: [],
  logtrail_bff_degraded: ['check'],
  logtrail_bff_budget_remaining: [],
  logtrail_bff_key_info: ['environment', 'type', 'fingerprint', 'state']
}

for (const delivery of ['direct', 'pooled', 'queued']) {
  t.test(`${delivery}: the metrics of the interface, by name and label, and no others`, async t => {
    const proxy = await startProxy(t, { env: { DELIVERY: delivery, QUEUE_PATH: t.testdir({}) } })
    await proxy.post(entry())
    await proxy.logtrail.waitFor(({ entries }) => entries().length === 1)
    await proxy.get('/logtrail/nowhere')
    const samples = await scrape(proxy)
    const own = samples.filter(({ name }) => name.startsWith('logtrail_bff_'))
    t.same([...new Set(own.map(({ name }) => name))].sort(), Object.keys(NAMES).sort())
    for (const { name, labels, value } of own) {
      t.same(Object.keys(labels).sort(), [...NAMES[name]!].sort(), name)
      t.ok(Number.isFinite(value))
    }
    t.same(
      own.filter(({ name }) => name.endsWith('_entries_total')).map(({ labels }) => labels.outcome),
      ['received', 'inherited', 'filtered', 'delivered', 'queued', 'rejected', 'dead_letter', 'trimmed', 'redacted']
    )
    t.ok(sampleOf(samples, 'process_cpu_user_seconds_total') > 0, 'and the usual ones of the process')
    t.equal(sampleOf(samples, 'logtrail_bff_plan_logs_per_month'), 500_000)
    t.match(
      own.filter(({ name }) => name === 'logtrail_bff_key_info').map(({ labels }) => labels),
      [{ environment: 'development', type: 'wo', fingerprint: /^[0-9a-f]{8}$/, state: 'accepted' }]
    )
    t.equal(sampleOf(samples, 'logtrail_bff_degraded', { check: 'key' }), 0)
    const { headers, text } = await proxy.get('/metrics')
    t.match(headers.get('content-type'), /^text\/plain; version=0\.0\.4; charset=utf-8/)
    t.notOk(text.includes(proxy.logtrail.key.slice(-12)))
  })
}

t.test('requests by route, status and error code', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_MAX: '0' } })
  await proxy.post(entry())
  await proxy.post(entry())
  await proxy.post([entry()], { path: '/logtrail/logs/bulk?x=1' })
  await proxy.post('{')
  await proxy.post(entry(), { user: null })
  await proxy.post(undefined, { method: 'OPTIONS' })
  await proxy.post(undefined, { method: 'DELETE' })
  for (let n = 0; n < 20; n++) await proxy.get(`/logtrail/random/${n}`)
  for (let n = 0; n < 5; n++) await proxy.post(entry(), { path: `/${n}`, headers: { 'sec-fetch-site': `x${n}` } })
  proxy.logtrail.faults.push({ kind: 'status', status: 500 }, { kind: 'reset-before' })
  await proxy.post(entry())
  await proxy.post(entry())
  const samples = await scrape(proxy)
  const requests = samples
    .filter(({ name }) => name === 'logtrail_bff_requests_total')
    .map(({ labels: { route, status, error_code }, value }) => `${route} ${status} ${error_code} ${value}`)
  t.same(requests.sort(), [
    '/logs 201  2',
    '/logs 204  1',
    '/logs 400 VALIDATION_INVALID_JSON 1',
    '/logs 401 SESSION_MISSING 1',
    '/logs 405 METHOD_NOT_ALLOWED 1',
    '/logs 502 UPSTREAM_ERROR 1',
    '/logs 502 UPSTREAM_UNREACHABLE 1',
    '/logs/bulk 201  1',
    'other 404 ROUTE_NOT_FOUND 25'
  ])
  const upstream = samples
    .filter(({ name }) => name === 'logtrail_bff_upstream_requests_total')
    .map(({ labels, value }) => `${labels.status} ${value}`)
  t.same(upstream.sort(), ['201 3', '500 1', 'error 1'])
  t.equal(sampleOf(samples, 'logtrail_bff_upstream_duration_seconds_count'), 5)
  t.ok(sampleOf(samples, 'logtrail_bff_upstream_duration_seconds_sum') > 0)
})

t.test('gauges are read at the scrape', async t => {
  let waiting = 0
  let state = 'unproven'
  let bad = false
  const metrics = createMetrics({
    keys: () => [{ environment: 'production', type: 'wo', fingerprint: '01234567', state }],
    degraded: () => ({ key: bad }),
    logsPerMonth: 7,
    queue: () => ({ entries: waiting, bytes: waiting * 10, oldestAgeSeconds: 1.5 }),
    budgetRemaining: () => 3
  })
  const read = async () => {
    const text = await metrics.registry.metrics()
    return scrape({ get: async () => ({ text }) as never })
  }
  await read()
  waiting = 5
  state = 'refused'
  bad = true
  const samples = await read()
  t.equal(sampleOf(samples, 'logtrail_bff_queue_entries'), 5)
  t.equal(sampleOf(samples, 'logtrail_bff_queue_bytes'), 50)
  t.equal(sampleOf(samples, 'logtrail_bff_queue_oldest_age_seconds'), 1.5)
  t.equal(sampleOf(samples, 'logtrail_bff_budget_remaining'), 3)
  t.equal(sampleOf(samples, 'logtrail_bff_degraded', { check: 'key' }), 1)
  t.same(
    samples.filter(({ name }) => name === 'logtrail_bff_key_info').map(({ labels }) => labels.state),
    ['refused'],
    'a state that is over is gone'
  )
  metrics.entries('delivered', 3)
  metrics.entries('delivered', 2)
  t.equal(metrics.books().delivered, 5)
  t.same(Object.keys(metrics.books()), [...OUTCOMES])
})
