import t from 'tap'
import type { Fault } from '../helper/logtrail/logtrail.js'
import { entry, startProxy } from '../helper/proxy.js'
import { isError } from './is-error.js'

const OFF = { RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0', RATE_LIMIT_IP_MAX: '0' }

/** Every fault, and what direct delivery makes of it. */
const FAULTS: [Fault, number, string][] = [
  [{ kind: 'reset-before' }, 502, 'UPSTREAM_UNREACHABLE'],
  [{ kind: 'reset-within' }, 502, 'UPSTREAM_UNREACHABLE'],
  [{ kind: 'reset-after' }, 502, 'UPSTREAM_UNREACHABLE'],
  [{ kind: 'store-reset' }, 502, 'UPSTREAM_UNREACHABLE'],
  [{ kind: 'store-cut' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'store-silent' }, 504, 'UPSTREAM_TIMEOUT'],
  [{ kind: 'hang' }, 504, 'UPSTREAM_TIMEOUT'],
  [{ kind: 'drip', everyMs: 100 }, 504, 'UPSTREAM_TIMEOUT'],
  [{ kind: 'status', status: 500 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 500, body: 'empty' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 502, body: 'html' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 503, body: 'html', retryAfter: 120 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 504, body: 'empty' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 408 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 404 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 405 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 206 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 304, body: 'empty' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 418 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 401 }, 502, 'UPSTREAM_REJECTED_KEY'],
  [{ kind: 'status', status: 403 }, 502, 'UPSTREAM_REJECTED_KEY'],
  [{ kind: 'status', status: 401, body: 'empty' }, 502, 'UPSTREAM_REJECTED_KEY'],
  [{ kind: 'status', status: 401, body: 'html' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 403, body: 'html' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 400, body: 'html' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 422, body: 'html' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 413, body: 'html' }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 400, body: 'empty' }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 413, body: 'empty' }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 422, body: 'empty' }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 400 }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 413 }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 422 }, 400, 'VALIDATION_FAILED'],
  [{ kind: 'status', status: 400, code: 'VALIDATION_INVALID_ENVIRONMENT' }, 400, 'VALIDATION_INVALID_ENVIRONMENT'],
  [{ kind: 'status', status: 400, code: 'VALIDATION_BULK_LIMIT_EXCEEDED' }, 400, 'VALIDATION_BULK_LIMIT_EXCEEDED'],
  [{ kind: 'garbage' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'redirect' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'redirect', status: 301 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'redirect', status: 308 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'not-found' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'portal' }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 600 }, 502, 'UPSTREAM_ERROR'],
  [{ kind: 'status', status: 999, body: 'html' }, 502, 'UPSTREAM_ERROR']
]

t.test('every fault of Logtrail gets its error, once, and the next request passes', async t => {
  const proxy = await startProxy(t, { env: { ...OFF, LOGTRAIL_TIMEOUT: '1500ms' } })
  for (const [fault, status, code] of FAULTS) {
    const name = JSON.stringify(fault)
    for (const [path, body] of [
      ['/logtrail/logs', entry()],
      ['/logtrail/logs/bulk', [entry(), entry()]]
    ] as const) {
      if (fault.kind === 'drip' && path.endsWith('bulk')) continue
      const before = proxy.logtrail.requests.length
      proxy.logtrail.faults.push(fault)
      const answer = await proxy.post(body, { path })
      isError(t, answer, status, code, name)
      t.equal(proxy.logtrail.requests.length, before + 1, `${name}: tried once`)
      t.notMatch(
        answer.text,
        /html|127\.0\.0\.1|ECONN|HPE_|undici|DEADLINE|standing/i,
        `${name}: nothing of the inside`
      )
      t.match(answer.headers.get('x-session-tag'), /^[0-9a-f]{16}$/)
      t.equal((await proxy.post(entry())).status, 201, `${name}: and then`)
    }
  }
})

t.test(
  'what Logtrail took is delivered, once, also where its answer is too long to pass on or repeats the key',
  async t => {
    for (const DELIVERY of ['direct', 'pooled']) {
      const proxy = await startProxy(t, { env: { ...OFF, DELIVERY } })
      const answers: Fault[] = [{ kind: 'huge' }, { kind: 'huge', bytes: 20_000_000 }, { kind: 'echo-key' }]
      for (const [n, fault] of answers.entries()) {
        proxy.logtrail.faults.push(fault)
        const answer = await proxy.post([entry(), entry()], { path: '/logtrail/logs/bulk' })
        t.equal(answer.status, 201, `${DELIVERY}, ${JSON.stringify(fault)}`)
        t.equal(answer.text, DELIVERY === 'direct' ? '' : '{"accepted":2}')
        t.equal(proxy.logtrail.requests.length, n + 1)
        t.equal(proxy.logtrail.entries().length, 2 * (n + 1))
      }
    }
  }
)

t.test(
  'direct: a page of somebody else is no answer of Logtrail, whatever its status, and /readyz says so',
  async t => {
    const proxy = await startProxy(t, { env: OFF })
    const checks = async () => (await proxy.get('/readyz')).body.checks
    const pages: Fault[] = [
      { kind: 'portal' },
      { kind: 'status', status: 403, body: 'html' },
      { kind: 'status', status: 400, body: 'html' }
    ]
    for (const [n, page] of pages.entries()) {
      proxy.logtrail.faults.push(page)
      isError(t, await proxy.post(entry()), 502, 'UPSTREAM_ERROR')
      t.match(await checks(), { upstream: { ok: false }, key: { ok: true } }, JSON.stringify(page))
      t.match((await proxy.get('/metrics')).text, `logtrail_bff_upstream_requests_total{status="error"} ${n + 1}`)
      t.equal((await proxy.post(entry())).status, 201)
      t.match(await checks(), { upstream: { ok: true } })
    }
    proxy.logtrail.faults.push({ kind: 'status', status: 403 })
    isError(t, await proxy.post(entry()), 502, 'UPSTREAM_REJECTED_KEY')
    t.match(await checks(), { upstream: { ok: true }, key: { ok: false } }, "a 403 of Logtrail's is an answer")
  }
)

t.test('Logtrail out of reach', async t => {
  const proxy = await startProxy(t, { env: { ...OFF, LOGTRAIL_TIMEOUT: '1500ms' } })
  await proxy.logtrail.down()
  isError(t, await proxy.post(entry()), 502, 'UPSTREAM_UNREACHABLE')
  await proxy.logtrail.up()
  t.equal((await proxy.post(entry())).status, 201)
  proxy.logtrail.deaf(true)
  isError(t, await proxy.post(entry()), 504, 'UPSTREAM_TIMEOUT')
  proxy.logtrail.deaf(false)
  t.equal((await proxy.post(entry())).status, 201)
  const nowhere = await startProxy(t, {
    env: { LOGTRAIL_URL: 'https://logtrail.invalid/api', LOGTRAIL_TIMEOUT: '400ms' }
  })
  const lost = await nowhere.post(entry())
  t.match(lost, { status: /50[24]/, body: { error_code: /UPSTREAM_(UNREACHABLE|TIMEOUT)/ } })
  t.notMatch(lost.text, /logtrail\.invalid/)
})

t.test('what Logtrail says of entries is passed on, in either of its forms', async t => {
  const refuse = ({ action }: { action?: unknown }) =>
    action === 'refused' ? { field: 'action', message: 'is refused' } : undefined
  for (const errorForm of ['reference', 'other'] as const) {
    const proxy = await startProxy(t, { logtrail: { refuse, errorForm } })
    const single = await proxy.post(entry({ action: 'refused' }))
    isError(t, single, 400, 'VALIDATION_FAILED', errorForm)
    t.match(single.body.details.errors, [{ log_index: null, field: 'action', message: String }])
    const bulk = await proxy.post([entry(), entry({ action: 'refused' })], { path: '/logtrail/logs/bulk' })
    isError(t, bulk, 400, 'VALIDATION_FAILED', errorForm)
    t.match(bulk.body.details.errors, [{ field: 'action' }])
    if (errorForm === 'reference') t.equal(bulk.body.details.errors[0].log_index, 1)
    t.same(proxy.logtrail.entries(), [])
  }
})

t.test('a plan smaller than configured: its bulk limit is a 400 here too', async t => {
  const proxy = await startProxy(t, { logtrail: { plan: 'free' } })
  const answer = await proxy.post(
    Array.from({ length: 51 }, () => entry()),
    { path: '/logtrail/logs/bulk' }
  )
  isError(t, answer, 400, 'VALIDATION_BULK_LIMIT_EXCEEDED')
  const own = await proxy.post(
    Array.from({ length: 1001 }, () => entry()),
    { path: '/logtrail/logs/bulk' }
  )
  isError(t, own, 400, 'VALIDATION_BULK_LIMIT_EXCEEDED')
  t.equal(proxy.logtrail.requests.length, 1, 'over the configured plan nothing is even sent')
})

t.test("Logtrail's answer to what it took is the browser's", async t => {
  const json = await startProxy(t)
  const said = await json.post(entry())
  t.match(said, { status: 201, body: { id: String } })
  t.equal(said.headers.get('content-type'), 'application/json; charset=utf-8')
  t.match((await json.post([entry(), entry()], { path: '/logtrail/logs/bulk' })).body, { accepted: 2, ids: Array })
  t.notOk(said.headers.get('x-ratelimit-limit') === '1000', "this proxy's limits, not the site's budget")
  for (const status of [200, 202, 204]) {
    json.logtrail.faults.push({ kind: 'status', status, body: status === 202 ? 'json' : 'empty' })
    t.equal((await json.post(entry())).status, status)
  }
  const empty = await startProxy(t, { logtrail: { answer: 'empty' } })
  const nothing = await empty.post(entry())
  t.match(nothing, { status: 201, text: '' })
  t.equal(nothing.headers.get('content-type'), null)
  json.logtrail.faults.push({ kind: 'drip', everyMs: 1 })
  t.match(await json.post(entry()), { status: 201, body: { id: String } }, 'slowly, but in time')
})

t.test('what is filtered whole is answered here', async t => {
  const proxy = await startProxy(t, { env: { MIN_LEVEL: 'warn' } })
  const answer = await proxy.post(entry())
  t.match(answer, { status: 201, body: { accepted: 1 } })
  const bulk = [entry({ level: 'debug' }), entry()]
  t.match(await proxy.post(bulk, { path: '/logtrail/logs/bulk' }), { status: 201, body: { accepted: 2 } })
  t.same(proxy.logtrail.requests, [])
})
