import t from 'tap'
import { entry, startProxy } from '../helper/proxy.js'
import { isError } from './is-error.js'

const OFF = { RATE_LIMIT_MAX: '1000000', RATE_LIMIT_LOGS_MAX: '0' }

t.test("Logtrail's 429 is passed on, then answered here until its Retry-After is over", async t => {
  const proxy = await startProxy(t, { env: OFF, logtrail: { limits: { requestsPerMinute: 2 } } })
  t.equal((await proxy.post(entry())).status, 201)
  t.equal((await proxy.post(entry())).status, 201)
  const first = await proxy.post(entry())
  isError(t, first, 429, 'RATE_LIMIT_PLAN_EXCEEDED')
  t.equal(first.headers.get('x-ratelimit-limit'), '2', "Logtrail's own numbers")
  t.equal(first.headers.get('x-ratelimit-remaining'), '0')
  const wait = Number(first.headers.get('retry-after'))
  t.ok(wait > 1 && wait <= 30)
  for (const [path, body] of [
    ['/logtrail/logs', entry()],
    ['/logtrail/logs/bulk', [entry(), entry()]]
  ] as const) {
    const again = await proxy.post(body, { path, user: 'grace' })
    isError(t, again, 429, 'RATE_LIMIT_PLAN_EXCEEDED')
    t.ok(Number(again.headers.get('retry-after')) <= wait)
    t.equal(again.headers.get('x-ratelimit-limit'), '2')
  }
  t.equal(proxy.logtrail.requests.length, 3, 'Logtrail is not asked meanwhile')
  isError(t, await proxy.post({}), 400, 'VALIDATION_FAILED', 'what is wrong is still told')
})

t.test('and then Logtrail is asked again', async t => {
  const proxy = await startProxy(t, { env: OFF })
  proxy.logtrail.faults.push({ kind: 'status', status: 429, retryAfter: 1 })
  const first = await proxy.post(entry())
  isError(t, first, 429, 'RATE_LIMIT_PLAN_EXCEEDED')
  t.equal(first.headers.get('retry-after'), '1')
  const started = Date.now()
  let answer = first
  while (answer.status === 429) {
    t.equal(proxy.logtrail.requests.length, 1)
    answer = await proxy.post(entry())
  }
  t.equal(answer.status, 201)
  t.ok(Date.now() - started > 700)
})

t.test('without a Retry-After, or with one that says nothing, a second is waited', async t => {
  for (const retryAfter of [undefined, 'soon', '-5', 0]) {
    const proxy = await startProxy(t, { env: OFF })
    proxy.logtrail.faults.push({
      kind: 'status',
      status: 429,
      body: 'html',
      ...(retryAfter === undefined ? {} : { retryAfter })
    })
    const answer = await proxy.post(entry())
    isError(t, answer, 429, 'RATE_LIMIT_PLAN_EXCEEDED', String(retryAfter))
    t.equal(answer.headers.get('retry-after'), '1')
  }
})

t.test('a date as Retry-After', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const retryAfter = new Date(Date.now() + 90_000).toUTCString()
  proxy.logtrail.faults.push({ kind: 'status', status: 429, retryAfter })
  const answer = await proxy.post(entry())
  isError(t, answer, 429, 'RATE_LIMIT_PLAN_EXCEEDED')
  const wait = Number(answer.headers.get('retry-after'))
  t.ok(wait >= 85 && wait <= 91, String(wait))
})

t.test("a spent month is told, under either of Logtrail's names, until the 1st", async t => {
  for (const quotaCode of ['QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', 'monthly_log_limit_exceeded']) {
    for (const errorForm of ['reference', 'other'] as const) {
      const proxy = await startProxy(t, { env: OFF, logtrail: { quotaCode, errorForm, quotaRetryAfter: 5 } })
      proxy.logtrail.usedThisMonth = 500_000
      const now = new Date()
      const first = Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + 1, 1)
      for (let n = 0; n < 2; n++) {
        const answer = await proxy.post(entry())
        isError(t, answer, 429, 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', `${quotaCode} ${errorForm}`)
        const until = Date.now() + Number(answer.headers.get('retry-after')) * 1000
        t.ok(Math.abs(until - first) < 3000, 'not the short one that Logtrail names')
      }
      t.equal(proxy.logtrail.requests.length, 1)
    }
  }
})
