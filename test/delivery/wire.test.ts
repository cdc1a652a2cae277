import t from 'tap'
import { type LogtrailOptions, makeKey, startLogtrail } from '../helper/logtrail/logtrail.js'
import { type HouseOptions, openHouse } from './house.js'

const soon = { random: () => 0.1 }

async function house(t: Parameters<typeof openHouse>[0], more: Partial<HouseOptions>, upstream: LogtrailOptions = {}) {
  const logtrail = await startLogtrail(upstream)
  t.teardown(() => logtrail.close())
  return { logtrail, ...(await openHouse(t, { mode: 'pooled', logtrail, ...soon, ...more })) }
}

t.test('pooled: one that takes connections and never answers', async t => {
  const { logtrail, deliver, books } = await house(t, { timeoutMs: 200, poolTimeout: 600 })
  logtrail.faults.always({ kind: 'hang' })
  await t.rejects(deliver('a', '1'), { code: 'UPSTREAM_TIMEOUT', statusCode: 504 })
  logtrail.faults.clear()
  t.strictSame(await deliver('a', '2'), { accepted: 1 })
  t.strictSame(books, { delivered: 1, rejected: 1, buried: 0 })
})

t.test('pooled: half-open connections, which were good when they were last used', async t => {
  const { logtrail, deliver, states } = await house(t, { timeoutMs: 300, poolTimeout: 8000 })
  await deliver('a', '1')
  logtrail.deaf(true)
  const waiting = deliver('a', '2')
  while (states.length === 0) await new Promise(resolve => setImmediate(resolve))
  logtrail.deaf(false)
  t.strictSame(await waiting, { accepted: 1 })
})

t.test('pooled: one that is down, and up again', async t => {
  const { logtrail, deliver } = await house(t, { poolTimeout: 400 })
  await logtrail.down()
  await t.rejects(deliver('a', '1'), { code: 'UPSTREAM_UNREACHABLE', statusCode: 502 })
  await logtrail.up()
  t.strictSame(await deliver('a', '2'), { accepted: 1 })
})

t.test('pooled: every fault that passes is ridden out, none is seen by a browser', async t => {
  const { logtrail, deliver, states } = await house(t, { timeoutMs: 300 })
  logtrail.faults.push(
    { kind: 'reset-before' },
    { kind: 'store-cut' },
    { kind: 'garbage' },
    { kind: 'portal' },
    { kind: 'status', status: 503, body: 'html' },
    { kind: 'status', status: 429 }
  )
  const receipts = await Promise.all(Array.from({ length: 20 }, (_, i) => deliver(String(i), `${i}-a`, `${i}-b`)))
  t.ok(receipts.every(receipt => receipt.accepted === 2))
  t.equal(logtrail.faults.waiting, 0)
  t.equal(logtrail.ids.size, 40)
  t.equal(states.at(-1), null)
})

t.test('queued: an upstream that is down: what was acknowledged waits, and goes when it is up', async t => {
  const { logtrail, deliver, states, outbox, books } = await house(t, { mode: 'queued', maxWait: 20 })
  await logtrail.down()
  await Promise.all(Array.from({ length: 30 }, (_, i) => deliver(String(i % 7), String(i))))
  t.strictSame(books, { delivered: 0, rejected: 0, buried: 0 })
  while (states.length === 0) await new Promise(resolve => setImmediate(resolve))
  t.strictSame(states, ['upstream'])
  t.equal(outbox.stats().waiting, 30)
  await logtrail.up()
  await logtrail.waitFor(({ ids }) => ids.size === 30)
})

for (const tellWhich of [true, false]) {
  t.test(`bad entries are found out, whether Logtrail names them or not (${tellWhich})`, async t => {
    const refuse: LogtrailOptions['refuse'] = entry => {
      const { id } = entry.metadata as { id: string }
      return id.includes('bad') ? { field: 'metadata.id', message: 'is bad' } : undefined
    }
    const { logtrail, deliver, books } = await house(t, {}, { refuse, tellWhich })
    const [good, part, bad] = await Promise.allSettled([
      deliver('a', ...Array.from({ length: 30 }, (_, i) => `a${i}`)),
      deliver('b', 'b0', 'bad-1', 'b2'),
      deliver('c', 'bad-2')
    ])
    t.match(good, { value: { accepted: 30 } })
    t.match(part, { value: { accepted: 2, rejected: [{ log_index: 1, message: tellWhich ? 'is bad' : /./ }] } })
    t.match(bad, { reason: { statusCode: 400, code: 'VALIDATION_FAILED' } })
    t.strictSame(books, { delivered: 32, rejected: 2, buried: 0 })
    t.equal(logtrail.stats.entries, 32, 'each once')
    t.ok(logtrail.stats.requests <= (tellWhich ? 6 : 16), `${logtrail.stats.requests} requests`)

    const queue = await house(t, { mode: 'queued', maxWait: 50 }, { refuse, tellWhich })
    await queue.deliver('a', 'x', 'bad-3', 'y')
    await queue.logtrail.waitFor(({ ids }) => ids.size === 2)
    while (queue.books.buried === 0) await new Promise(resolve => setImmediate(resolve))
    const [dead] = await queue.outbox.deadLetters.list({ bodies: true })
    t.match(dead, { user: 'u:a', reason: { code: 'VALIDATION_FAILED', status: 400, answer: /VALIDATION_FAILED/ } })
    t.match(dead?.body, /bad-3/)
  })
}

for (const mode of ['pooled', 'queued'] as const) {
  t.test(`${mode}: the second key takes over when the first is revoked, without an error or a loss`, async t => {
    const keys = [makeKey(), makeKey()]
    const { logtrail, deliver, states } = await house(t, { mode, keys, maxWait: 5 }, { keys })
    const receipts: Promise<{ accepted: number }>[] = []
    for (let i = 0; i < 200; i++) {
      receipts.push(deliver(String(i % 20), String(i)))
      if (i === 100) {
        await logtrail.waitFor(({ ids }) => ids.size > 20)
        logtrail.revokeKey(keys[0]!)
      }
      if (i % 10 === 0) await new Promise(resolve => setImmediate(resolve))
    }
    t.ok((await Promise.all(receipts)).every(receipt => receipt.accepted === 1))
    await logtrail.waitFor(({ ids }) => ids.size === 200)
    t.ok([...logtrail.ids.values()].every(times => times === 1))
    t.strictSame(states, [])
  })

  t.test(`${mode}: a key that is replaced while none is accepted: all goes at once`, async t => {
    const old = makeKey()
    const next = makeKey()
    const { logtrail, deliver, states, keyring } = await house(t, { mode, keys: [old], maxWait: 5 }, { keys: [next] })
    const receipts = Promise.all(Array.from({ length: 50 }, (_, i) => deliver(String(i % 9), String(i))))
    await logtrail.waitFor(({ stats }) => stats.answers['401'] === 1)
    keyring.replace([next])
    t.ok((await receipts).every(receipt => receipt.accepted === 1))
    await logtrail.waitFor(({ ids }) => ids.size === 50)
    t.equal(logtrail.stats.answers['401'], 1)
    t.ok(states.length === 0 || (states[0] === 'key' && states.length <= 2), `${states}`)
  })
}

t.test("a spent month: a browser hears it at once, with Logtrail's date", async t => {
  for (const quotaCode of ['QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', 'monthly_log_limit_exceeded']) {
    const { logtrail, deliver, states } = await house(t, {}, { quotaCode })
    logtrail.usedThisMonth = 500_000
    await t.rejects(deliver('a', '1'), { code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', statusCode: 429 })
    await t.rejects(deliver('a', '2'), { code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', statusCode: 429 })
    t.equal(logtrail.stats.requests, 1)
    t.strictSame(states, ['quota'])
  }
})

t.test('several requests at once carry what one cannot: 0.5 s away, 16 at a time', async t => {
  const { logtrail, deliver } = await house(t, { maxBatch: 10 }, { latencyMs: 500 })
  await deliver('first', 'first')
  const began = performance.now()
  await Promise.all(Array.from({ length: 300 }, (_, i) => deliver(String(i % 150), String(i))))
  t.ok(performance.now() - began < 3000, `${Math.round(performance.now() - began)} ms for 30 requests`)
  t.equal(logtrail.ids.size, 301)
})
