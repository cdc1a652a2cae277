import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { entry, type Program, sign, startProxy } from '../helper/proxy.js'
import { books } from './scrape.js'

/** Until the books say so: what a browser is answered is written there just after. */
async function until(program: Program, holds: (now: Awaited<ReturnType<typeof books>>) => boolean) {
  for (;;) {
    const now = await books(program)
    if (holds(now)) return now
  }
}

/** A client that sends a whole request and is gone before its answer. */
function impatient(program: Program, body: string): Promise<void> {
  const { port, hostname } = new URL(program.url)
  const arrived = program.logtrail.requests.length
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.write(
      `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nCookie: session=${sign()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
    )
    program.logtrail.waitFor(({ requests }) => requests.length > arrived).then(() => socket.resetAndDestroy())
  })
}

/** A request of every kind; how many entries they held, and how many of them were refused at the door. */
async function everything(t: Test, program: Program): Promise<{ received: number; refused: number; filtered: number }> {
  const bulk = (entries: unknown[], how = {}) => program.post(entries, { path: '/logtrail/logs/bulk', ...how })
  const send = async (answer: Promise<{ status: number; text: string }>, status: RegExp) => {
    const { status: given, text } = await answer
    t.match(String(given), status, text)
  }
  const good = [entry(), entry(), entry()]
  await send(program.post(entry()), /20[12]/)
  await send(bulk(good), /20[12]/)
  await send(bulk([entry({ level: 'trace' }), entry()]), /20[12]/)
  await send(program.post(entry({ level: 'debug' })), /20[12]/)
  await send(program.post(entry({ metadata: { password: 'x', long: 'y'.repeat(5000) } })), /20[12]/)
  await send(bulk([entry(), { action: 1 }, entry({ level: 'trace' })]), /400/)
  await send(program.post({}), /400/)
  await send(program.post('{'), /400/)
  await send(program.post(''), /400/)
  await send(program.post(`"${'x'.repeat(5_000_000)}"`), /413/)
  await send(bulk(good, { headers: { 'content-type': 'text/html' } }), /415/)
  await send(bulk(good, { user: null }), /401/)
  await send(bulk(good, { headers: { 'sec-fetch-site': 'cross-site' } }), /403/)
  await send(bulk(Array.from({ length: 13 }, () => entry())), /429/)
  await send(bulk(Array.from({ length: 21 }, () => entry())), /400/)
  await send(program.post(undefined, { method: 'OPTIONS' }), /204/)
  await send(program.post(entry(), { path: '/logtrail/nowhere' }), /404/)
  return { received: 1 + 3 + 2 + 1 + 1 + 3 + 1 + 13 + 21, refused: 3 + 1 + 13 + 21, filtered: 2 }
}

const ENV = { MIN_LEVEL: 'info', RATE_LIMIT_LOGS_MAX: '20' }

const refuseSome = ({ action }: { action?: unknown }) =>
  action === 'refused' ? { field: 'action', message: 'is refused' } : undefined

t.test('direct: the books balance', async t => {
  const program = await startProxy(t, { env: ENV, logtrail: { refuse: refuseSome } })
  const { received, refused, filtered } = await everything(t, program)
  t.match(await books(program), { received, filtered, rejected: refused, delivered: 6, trimmed: 1, redacted: 1 })
  const faults = [
    'reset-before',
    'reset-after',
    'store-cut',
    'garbage',
    'redirect',
    'not-found',
    'portal',
    'reset-within'
  ] as const
  for (const kind of faults) {
    program.logtrail.faults.push({ kind })
    const how = { path: '/logtrail/logs/bulk', user: kind }
    t.match((await program.post([entry(), entry({ level: 'debug' }), entry()], how)).status, /50\d|201/, kind)
  }
  const failed = await books(program)
  t.match(
    failed,
    { rejected: refused + 16, delivered: 6, filtered: filtered + 8 },
    'what could not be delivered is rejected'
  )
  t.equal(failed.went, failed.came)

  t.equal((await program.post(entry({ action: 'refused' }), { user: 'eve' })).status, 400)
  t.equal((await books(program)).rejected, refused + 17)
  for (const [n, status] of [600, 999].entries()) {
    program.logtrail.faults.push({ kind: 'status', status })
    t.match(await program.post(entry(), { user: 'eve' }), { status: 502, body: { error_code: 'UPSTREAM_ERROR' } })
    const strange = await books(program)
    t.equal(strange.rejected, refused + 18 + n, 'a status that nobody may answer with is counted once')
    t.equal(strange.went, strange.came)
  }
  program.logtrail.latencyMs = 100
  await impatient(program, JSON.stringify(entry()))
  const gone = await until(program, ({ came, went }) => came === went)
  t.equal(gone.delivered, 7, 'a browser that goes away takes nothing out of the books')
  program.logtrail.latencyMs = 0

  program.logtrail.faults.push({ kind: 'status', status: 429, retryAfter: 30 })
  t.equal((await program.post(entry(), { user: 'eve' })).status, 429)
  t.equal((await program.post(entry(), { user: 'eve' })).status, 429)
  const limited = await books(program)
  t.equal(limited.rejected, refused + 21, 'answered here or there')
  t.equal(limited.went, limited.came)
})

t.test('pooled: the books balance', async t => {
  const env = { ...ENV, DELIVERY: 'pooled', POOL_TIMEOUT: '1s', POOL_MAX_PENDING: '15' }
  const program = await startProxy(t, { env, logtrail: { refuse: refuseSome } })
  const { received, refused, filtered } = await everything(t, program)
  t.match(await books(program), { received, filtered, rejected: refused, delivered: 6, waiting: 0 })
  const partly = await program.post([entry(), entry({ action: 'refused' }), entry({ level: 'debug' })], {
    path: '/logtrail/logs/bulk',
    user: 'eve'
  })
  t.match(partly, { status: 201, body: { accepted: 2, rejected: [{ log_index: 1, field: 'action' }] } })
  t.match(await books(program), { delivered: 7, rejected: refused + 1, filtered: filtered + 1 })
  program.logtrail.faults.push({ kind: 'status', status: 503, body: 'html' })
  t.equal((await program.post(entry(), { user: 'eve' })).status, 201, 'a fault is ridden out')
  await program.logtrail.down()
  const late = await Promise.all([
    program.post(entry(), { user: 'eve' }),
    program.post([entry(), entry()], { path: '/logtrail/logs/bulk', user: 'bob' })
  ])
  t.match(
    late.map(({ status }) => status),
    [/50[24]/, /50[24]/]
  )
  const full = program.post(
    Array.from({ length: 16 }, () => entry()),
    { path: '/logtrail/logs/bulk', user: 'dan' }
  )
  t.match(await full, { status: 503, body: { error_code: 'QUEUE_FULL' } })
  const end = await until(program, ({ waiting }) => waiting === 0)
  t.equal(end.rejected, refused + 1 + 3 + 16)
  t.equal(end.went, end.came)
})

t.test('queued: the books balance, over a restart too', async t => {
  const QUEUE_PATH = t.testdir({})
  const env = { ...ENV, DELIVERY: 'queued', QUEUE_PATH, BATCH_MAX_WAIT: '10ms' }
  const program = await startProxy(t, { env, logtrail: { refuse: refuseSome } })
  const { received, refused, filtered } = await everything(t, program)
  const first = await until(program, ({ waiting }) => waiting === 0)
  t.match(first, { received, filtered, rejected: refused, delivered: 6, queued: 6 })
  t.equal((await program.post(entry({ action: 'refused' }), { user: 'eve' })).status, 202)
  const buried = await until(program, ({ deadLetters }) => deadLetters === 1)
  t.equal(buried.went, buried.came)
  await program.logtrail.down()
  t.equal((await program.post([entry(), entry()], { path: '/logtrail/logs/bulk', user: 'eve' })).status, 202)
  const waiting = await books(program)
  t.equal(waiting.waiting, 2)
  t.equal(waiting.went, waiting.came)
  await program.server.close()

  const again = await startProxy(t, { env })
  const heir = await until(again, ({ delivered }) => delivered === 2)
  t.match(heir, { inherited: 2, received: 0, waiting: 0 })
  t.equal(heir.went, heir.came)
})
