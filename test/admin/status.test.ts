import { mkdtempSync, rmSync } from 'node:fs'
import { get, type IncomingMessage } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createHistory } from '../../src/admin/history.js'
import { createAdminListener } from '../../src/admin/listener.js'
import { createLogger } from '../../src/admin/logger.js'
import { createMetrics } from '../../src/admin/metrics.js'
import { createStatus } from '../../src/admin/status.js'
import { entry, SECRET, startProxy } from '../helper/proxy.js'
import { READINGS } from './scrape.js'

/** Server-sent events, as they come. */
async function listen(url: string) {
  const response = await new Promise<IncomingMessage>((resolve, reject) => get(url, resolve).on('error', reject))
  response.setEncoding('utf8')
  const ended = new Promise<void>(resolve => response.on('close', resolve))
  let rest = ''
  const chunks = response[Symbol.asyncIterator]()
  return {
    response,
    ended,
    async next() {
      while (!rest.includes('\n\n')) {
        const { value, done } = await chunks.next()
        if (done) return undefined
        rest += value
      }
      const [frame] = rest.split('\n\n', 1) as [string]
      rest = rest.slice(frame.length + 2)
      return { event: /^event: (.*)$/m.exec(frame)![1], data: JSON.parse(/^data: (.*)$/m.exec(frame)![1]!) }
    }
  }
}

t.test('/status tells what the page tells, in every mode', async t => {
  for (const mode of ['direct', 'pooled', 'queued']) {
    const folder = mkdtempSync(join(tmpdir(), 'status-'))
    t.teardown(() => rmSync(folder, { recursive: true, force: true }))
    const proxy = await startProxy(t, {
      env: { DELIVERY: mode, QUEUE_PATH: folder, LOGTRAIL_REQUESTS_PER_MINUTE: '600' }
    })
    await proxy.post(entry())
    await proxy.post(entry(), { user: null })
    let status = (await proxy.get('/status')).body
    while (status.books.delivered === 0 || status.lastMinute.taken === 0 || status.lastMinute.upstream === 0)
      status = (await proxy.get('/status')).body
    t.match(
      status,
      {
        version: String,
        phase: 'serving',
        status: 'ok',
        delivery: mode,
        checks: { key: { ok: true } },
        keys: [{ environment: 'development', type: 'wo', state: 'accepted', fingerprint: /^[0-9a-f]{8}$/ }],
        books: { received: 1, delivered: 1 },
        lastMinute: { taken: 1, refused: 1, upstream: 1, requestMs: { p95: Number }, upstreamMs: { p95: Number } },
        refusals: { SESSION_MISSING: 1 },
        clients: { requests: 2, addresses: 'one', users: 'one', untrustedForwarding: false }
      },
      mode
    )
    if (mode === 'direct') t.match(status, { queue: null, budget: null })
    else {
      t.match(status, {
        queue: { entries: 0, bytes: Number, deadLetters: 0 },
        budget: { remaining: Number, configured: 600, limitTold: 1000, usedLastMinute: 1 }
      })
    }
    const named = new Map(status.limits.map((limit: { variable: string }) => [limit.variable, limit]))
    t.match(named.get('LOGTRAIL_REQUESTS_PER_MINUTE'), { value: '600', source: 'env', meaning: String })
    t.match(named.get('LOGTRAIL_MAX_BATCH'), { value: '1,000', source: 'plan' })
    t.equal(named.has('QUEUE_MAX_BYTES'), mode === 'queued')
    t.equal(named.has('POOL_TIMEOUT'), mode === 'pooled')
    const { text } = await proxy.get('/status')
    for (const secret of [proxy.logtrail.key, SECRET]) t.notOk(text.includes(secret))
  }
})

t.test('limits that are off, and those of anonymous ones', async t => {
  const proxy = await startProxy(t, { env: { ANONYMOUS: 'allow', RATE_LIMIT_MAX: '0' } })
  const { limits } = (await proxy.get('/status')).body
  t.match(
    limits.filter(({ variable }: { variable: string }) => /^RATE_LIMIT_(MAX|ANONYMOUS_MAX)$/.test(variable)),
    [
      { variable: 'RATE_LIMIT_MAX', value: 'off' },
      { variable: 'RATE_LIMIT_ANONYMOUS_MAX', value: '30' }
    ]
  )
})

async function listener(t: Test, watchers?: number) {
  let now = 0
  const metrics = createMetrics(READINGS)
  const history = createHistory(
    () => ({ received: 0, delivered: 0 }),
    () => now
  )
  const readiness = { phase: () => 'serving' as const, checks: {}, writable: () => true }
  const timers = t.capture(globalThis, 'setInterval', () => ({ unref() {} }) as never)
  const report = createStatus({
    version: '1.2.3',
    delivery: 'direct',
    readiness,
    history,
    limits: [],
    keys: () => [],
    books: metrics.books,
    inFlight: () => 0,
    queue: () => undefined,
    budget: () => undefined,
    limitTold: () => undefined
  })
  const log = createLogger({ level: 'silent', secrets: [] })
  const app = await createAdminListener({
    metrics,
    readiness,
    report,
    history,
    log,
    connection: {},
    ...(watchers ? { watchers } : {})
  })
  const [tick] = timers.args().find(([, ms]) => (ms as unknown) === 1000)! as unknown as [() => void]
  timers.restore()
  t.teardown(() => app.close())
  const url = `${await app.listen({ port: 0, host: '127.0.0.1' })}/status/events`
  return {
    app,
    url,
    history,
    pass(ms: number) {
      now += ms
      tick()
    }
  }
}

t.test('server-sent events: all of it first, then each second, all again after a standstill', async t => {
  const { url, history, pass, app } = await listener(t)
  pass(1000)
  const events = await listen(url)
  t.match(events.response.headers, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff'
  })
  t.match(await events.next(), {
    event: 'opening',
    data: { status: { version: '1.2.3' }, limits: [], series: { taken: Array } }
  })
  history.request(201, '', 1)
  pass(10)
  pass(1000)
  t.match(await events.next(), {
    event: 'second',
    data: { status: { phase: 'serving' }, point: { taken: 1, refused: 0 } }
  })
  pass(5000)
  t.match(await events.next(), { event: 'opening', data: { series: { taken: Array } } })
  const closed = app.close()
  t.equal(await events.next(), undefined, 'ended with the listener')
  await closed
})

t.test('as many listeners as may be', async t => {
  const { url } = await listener(t, 2)
  const [first] = [await listen(url), await listen(url)]
  const third = await listen(url)
  t.equal(third.response.statusCode, 503)
  t.equal(third.response.headers['retry-after'], '10')
  third.response.destroy()
  first.response.destroy()
  let again = await listen(url)
  while (again.response.statusCode !== 200) {
    again.response.destroy()
    again = await listen(url)
  }
  t.match(await again.next(), { event: 'opening' }, 'one that went makes room')
  again.response.destroy()
})

t.test('who does not read is let go', async t => {
  const { url, pass } = await listener(t)
  const deaf = await listen(url)
  deaf.response.pause()
  deaf.response.socket.pause()
  let gone = false
  deaf.response.socket.on('close', () => {
    gone = true
  })
  // openings are the largest events there are
  for (let i = 0; i < 20_000 && !gone; i++) {
    pass(2000)
    if (i % 50 === 0) await new Promise(resolve => setImmediate(resolve))
    if (i === 2000) deaf.response.socket.resume()
  }
  await deaf.ended
  t.pass('the connection was ended')
})
