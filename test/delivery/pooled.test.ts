import t from 'tap'
import { rest } from './fake-clock.js'
import { createPool, failure } from './pool.js'
import { answer, refused, taken, timedOut, unreachable } from './upstream.js'

t.test('many browsers, one request, each answered', async t => {
  const { upstream, deliver, books } = await createPool()
  const answers = await Promise.all(Array.from({ length: 40 }, (_, i) => deliver(String(i), [i])))
  t.ok(answers.every(receipt => receipt.accepted === 1 && receipt.rejected === undefined))
  t.equal(upstream.requests.length, 1)
  t.strictSame(await deliver('x', [1, 2, 3]), { accepted: 3 })
  t.strictSame(await deliver('x', []), { accepted: 0 })
  t.strictSame(books, { delivered: 43, rejected: 0 })
})

t.test('each browser gets the verdict on its own entries alone', async t => {
  const { upstream, deliver, books } = await createPool()
  upstream.respond = sent => {
    const errors = sent.ids.flatMap((id, log_index) =>
      id.startsWith('bad') ? [{ log_index: sent.ids.length > 1 ? log_index : null, field: 'action', message: id }] : []
    )
    return errors.length > 0 ? refused(errors) : taken()
  }
  const [good, part, single, one, all] = await Promise.allSettled([
    deliver('good', ['a', 'b']),
    deliver('part', ['c', 'bad-1', 'd', 'bad-2']),
    deliver('single', ['bad-3'], false),
    deliver('one', ['bad-6'], true),
    deliver('all', ['bad-4', 'bad-5'], true)
  ])
  t.match(good, { value: { accepted: 2 } })
  t.strictSame(part.status === 'fulfilled' && part.value, {
    accepted: 2,
    rejected: [
      { log_index: 1, field: 'action', message: 'bad-1' },
      { log_index: 3, field: 'action', message: 'bad-2' }
    ]
  })
  t.match(single, {
    reason: {
      statusCode: 400,
      code: 'VALIDATION_FAILED',
      message: 'bad-3',
      faults: [{ log_index: null, field: 'action', message: 'bad-3' }]
    }
  })
  t.match(one, { reason: { faults: [{ log_index: 0, message: 'bad-6' }] } })
  t.match(all, {
    reason: {
      statusCode: 400,
      faults: [
        { log_index: 0, message: 'bad-4' },
        { log_index: 1, message: 'bad-5' }
      ]
    }
  })
  t.strictSame(books, { delivered: 4, rejected: 6 })
})

t.test('a fault that passes is not noticed', async t => {
  const { clock, upstream, deliver } = await createPool()
  let faults = 3
  upstream.respond = () => (faults-- > 0 ? answer(502, '<html>') : taken())
  const receipt = deliver('a', ['a'])
  await clock.advance(10_000)
  t.strictSame(await receipt, { accepted: 1 })
})

t.test('a fault that lasts is passed on in time', async t => {
  const cases = [
    [unreachable, 502, 'UPSTREAM_UNREACHABLE'],
    [timedOut, 504, 'UPSTREAM_TIMEOUT'],
    [() => answer(500), 502, 'UPSTREAM_ERROR'],
    [() => answer(401), 502, 'UPSTREAM_REJECTED_KEY'],
    [() => new Promise<never>(() => {}), 504, 'UPSTREAM_TIMEOUT']
  ] as const
  for (const [respond, status, code] of cases) {
    const { clock, upstream, deliver, books, outbox, pooled } = await createPool()
    upstream.respond = respond
    const began = clock.now()
    let ended = 0
    const error = failure(deliver('a', ['a', 'b'])).finally(() => {
      ended = clock.now()
    })
    await clock.advance(20_000)
    t.match(await error, { statusCode: status, code, faults: undefined })
    t.ok(ended - began >= 15_000 && ended - began <= 15_200, `${ended - began} ms`)
    t.strictSame(books, { delivered: 0, rejected: 2 })
    t.equal(outbox.stats().waiting - outbox.stats().claimed, 0, 'nothing waits that nobody waits for')
    const stopped = pooled.stop(10)
    await clock.advance(10)
    await stopped
    t.equal(outbox.stats().claimed, 0)
  }
})

t.test('waiting for the budget alone until the time is over: 504', async t => {
  const { clock, deliver, budget } = await createPool({ timeout: 200, maxBatch: 1 })
  while (budget.take() !== undefined);
  const errors = Array.from({ length: 60 }, (_, i) =>
    failure(deliver(String(i), [i]).then(() => Promise.reject('taken')))
  )
  await clock.advance(400)
  const codes = (await Promise.all(errors)).map(error => error.code)
  t.ok(codes.includes('UPSTREAM_TIMEOUT'))
})

t.test('an entry whose browser has gone is not sent again', async t => {
  const { clock, upstream, deliver } = await createPool()
  upstream.respond = () => answer(500)
  const gone = failure(deliver('a', ['a']))
  const also = failure(deliver('b', ['b']))
  await clock.advance(10_000)
  const stays = deliver('c', ['c'])
  await clock.advance(6_000)
  await gone
  await also
  upstream.respond = () => taken()
  upstream.requests.length = 0
  await clock.advance(8_000)
  t.strictSame(await stays, { accepted: 1 })
  t.strictSame(upstream.ids(), ['c'])
})

t.test('what is under way when its browser goes is let go when it comes back', async t => {
  const { clock, upstream, deliver, outbox, books } = await createPool()
  let fail: (reason: unknown) => void = () => {}
  upstream.respond = () =>
    new Promise((_, reject) => {
      fail = reject
    })
  const gone = failure(deliver('a', ['a', 'b']))
  await clock.advance(16_000)
  t.match(await gone, { code: 'UPSTREAM_TIMEOUT' })
  t.match(outbox.stats(), { waiting: 0, claimed: 0 })
  fail(unreachable())
  await rest()
  t.equal(outbox.stats().waiting, 0)
  t.strictSame(books, { delivered: 0, rejected: 2 })
})

t.test('a part in time: the answer says which are not known to be delivered', async t => {
  const { clock, upstream, deliver, books } = await createPool({ maxBatch: 2 })
  let count = 0
  upstream.respond = () => (++count > 1 ? answer(500) : taken())
  const late = failure(deliver('a', [0, 1, 2]))
  await clock.advance(16_000)
  t.match(await late, {
    code: 'UPSTREAM_ERROR',
    faults: [{ log_index: 2, field: '', message: 'not known to be delivered' }]
  })
  t.strictSame(books, { delivered: 2, rejected: 1 })
})

t.test('one refused, one taken, one late: the late one decides', async t => {
  const { clock, upstream, deliver, books } = await createPool({ maxBatch: 1 })
  upstream.respond = ({ ids: [id] }) => (id === '0' ? taken() : id === '1' ? refused() : answer(500))
  const late = failure(deliver('a', [0, 1, 2]))
  await clock.advance(16_000)
  t.match(await late, { code: 'UPSTREAM_ERROR', faults: [{ log_index: 2 }] })
  t.strictSame(books, { delivered: 1, rejected: 2 })
})

t.test('a part taken, and then a long 429', async t => {
  const { clock, upstream, deliver, books } = await createPool({ maxBatch: 2 })
  let count = 0
  upstream.respond = () => (++count > 1 ? answer(429, '', { retryAfter: '60', 'x-ratelimit-limit': '120' }) : taken())
  const late = failure(deliver('a', [0, 1, 2]))
  await clock.advance(1000)
  t.match(await late, {
    code: 'RATE_LIMIT_PLAN_EXCEEDED',
    retryAfter: 60,
    headers: { 'x-ratelimit-limit': '120' },
    faults: [{ log_index: 2 }]
  })
  t.strictSame(books, { delivered: 2, rejected: 1 })
})

t.test('a verdict that comes after the browser was answered changes nothing', async t => {
  const { clock, upstream, deliver, outbox, books } = await createPool()
  let resolve: (value: ReturnType<typeof answer>) => void = () => {}
  upstream.respond = () =>
    new Promise(done => {
      resolve = done
    })
  const gone = failure(deliver('a', ['a']))
  await clock.advance(16_000)
  await gone
  resolve(taken())
  await rest()
  t.equal(outbox.stats().waiting, 0)
  t.strictSame(books, { delivered: 0, rejected: 1 })
})

t.test('a 429 longer than they can wait is passed on at once, and answered here until it is over', async t => {
  const { clock, upstream, deliver, books } = await createPool()
  const headers = { retryAfter: '60', 'x-ratelimit-limit': '120', 'x-ratelimit-remaining': '0' }
  upstream.respond = () => answer(429, { error_code: 'RATE_LIMIT_PLAN_EXCEEDED' }, headers)
  const first = failure(deliver('a', ['a']))
  await clock.advance(10)
  t.match(await first, {
    statusCode: 429,
    code: 'RATE_LIMIT_PLAN_EXCEEDED',
    retryAfter: 60,
    headers: { 'x-ratelimit-limit': '120' }
  })
  await clock.advance(20_000)
  t.match(await failure(deliver('b', ['b'])), { code: 'RATE_LIMIT_PLAN_EXCEEDED', retryAfter: 40 })
  t.equal(upstream.requests.length, 1)
  upstream.respond = () => taken()
  await clock.advance(30_000)
  const waits = deliver('c', ['c'])
  await clock.advance(12_000)
  t.strictSame(await waits, { accepted: 1 })
  t.strictSame(books, { delivered: 1, rejected: 2 })
})

t.test("browsers are told Logtrail's own Retry-After; the jitter is ours alone", async t => {
  for (const seconds of [2, 30, 59]) {
    const { clock, upstream, deliver, budget } = await createPool({ timeout: 150 })
    upstream.respond = () => answer(429, '', { retryAfter: String(seconds) })
    await clock.advance(0.1)
    t.match(await failure(deliver('a', ['a'])), { retryAfter: seconds })
    await clock.advance(seconds * 1000)
    t.ok(budget.pausedFor() > 150, 'not tried yet')
    t.match(await failure(deliver('b', ['b'])), { retryAfter: 1 })
  }
})

t.test('a short 429 is waited out', async t => {
  const { clock, upstream, deliver } = await createPool()
  let count = 0
  upstream.respond = () => (++count === 1 ? answer(429, '', { retryAfter: '5' }) : taken())
  const receipt = deliver('a', ['a'])
  await clock.advance(8_000)
  t.strictSame(await receipt, { accepted: 1 })
})

t.test('a spent month: 429 until the 1st, and one request an hour to see', async t => {
  const { clock, upstream, deliver } = await createPool()
  upstream.respond = () => answer(429, { error_code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED' })
  const first = failure(deliver('a', ['a']))
  await clock.advance(10)
  const left = (Date.UTC(2026, 11, 1) - clock.wall()) / 1000
  const error = await first
  t.match(error, { statusCode: 429, code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED' })
  t.ok(Math.abs((error.retryAfter ?? 0) - left) <= 1)
  for (let i = 0; i < 10; i++) t.match(await failure(deliver('b', [i])), { retryAfter: error.retryAfter! })
  t.equal(upstream.requests.length, 1)
  await clock.advance(3_600_000)
  const probe = failure(deliver('c', ['c']))
  await clock.advance(10)
  await probe
  t.equal(upstream.requests.length, 2)
  upstream.respond = () => taken()
  await clock.advance(3_600_000)
  const again = deliver('d', ['d'])
  await clock.advance(10)
  t.strictSame(await again, { accepted: 1 })
})

t.test('as many as may wait, and no more', async t => {
  const { clock, upstream, deliver, books } = await createPool({ maxEntries: 10 })
  upstream.respond = unreachable
  const waits = Array.from({ length: 10 }, (_, i) => failure(deliver(String(i), [i])))
  t.match(await failure(deliver('x', ['x'])), { statusCode: 503, code: 'QUEUE_FULL', retryAfter: 1 })
  await clock.advance(16_000)
  await Promise.all(waits)
  t.strictSame(books, { delivered: 0, rejected: 11 })
  upstream.respond = () => taken()
  const later = deliver('y', ['y'])
  await clock.advance(30_000)
  t.strictSame(await later.catch(error => error.code), { accepted: 1 }, 'those that left made room')
})

t.test('going down: sent in time, or told to come again', async t => {
  const { clock, upstream, deliver, pooled, books } = await createPool()
  const last = deliver('a', ['a'])
  await pooled.stop(1000)
  t.strictSame(await last, { accepted: 1 })
  t.match(await failure(deliver('b', ['b'])), { statusCode: 503, code: 'SHUTTING_DOWN' })

  const other = await createPool()
  other.upstream.respond = () => new Promise<never>(() => {})
  const cut = failure(other.deliver('a', ['a']))
  await rest()
  const stopped = other.pooled.stop(1000)
  await other.clock.advance(1000)
  await stopped
  t.match(await cut, { statusCode: 503, code: 'SHUTTING_DOWN', retryAfter: 1 })
  t.equal(other.clock.timers, 0)
  t.strictSame(books, { delivered: 1, rejected: 1 })
  t.equal(other.pooled.fault(), undefined)
  await other.pooled.stop(1)
  t.equal(upstream.requests.length, 1)
  await clock.advance(1)
})
