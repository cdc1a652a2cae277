import t from 'tap'
import { entry, startProxy } from '../helper/proxy.js'

// "429: always with Retry-After in whole seconds, and X-RateLimit-Limit/-Remaining/-Reset": where Logtrail's 429 came
// without them, the browser got none, or those of its user's own limit, with most of it left.
for (const [DELIVERY, off] of [
  ['direct', '0'],
  ['direct', '120'],
  ['pooled', '0'],
  ['pooled', '120']
] as const) {
  t.test(`${DELIVERY}, RATE_LIMIT_MAX=${off}: a 429 of Logtrail without headers says what is known`, async t => {
    const env = { DELIVERY, RATE_LIMIT_MAX: off, POOL_TIMEOUT: '1s', LOGTRAIL_PLAN: 'free' }
    const program = await startProxy(t, { env })
    const code = 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED'
    for (const [fault, limit] of [
      [{ kind: 'status', status: 429, retryAfter: 30 }, 120],
      [{ kind: 'status', status: 429, code }, 5000]
    ] as const) {
      program.logtrail.faults.always(fault)
      const other = limit === 120 ? program : await startProxy(t, { env, logtrail: { faults: [fault] } })
      for (let i = 0; i < 2; i++) {
        const { status, headers } = await other.post(entry())
        t.equal(status, 429)
        const wait = Number(headers.get('retry-after'))
        t.ok(wait >= 30)
        t.equal(headers.get('x-ratelimit-limit'), String(limit))
        t.equal(headers.get('x-ratelimit-remaining'), '0')
        t.ok(Math.abs(Number(headers.get('x-ratelimit-reset')) - Date.now() / 1000 - wait) <= 2)
      }
    }
  })
}
