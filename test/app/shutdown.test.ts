import { connect, type Socket } from 'node:net'
import t from 'tap'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry, SECRET, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'
import { startChild } from '../main/child.js'
import { isError } from './is-error.js'

const body = JSON.stringify(entry())
const head = [
  'POST /logtrail/logs HTTP/1.1',
  'Host: a',
  'Content-Type: application/json',
  'Sec-Fetch-Site: same-origin',
  `Cookie: session=${sign()}`,
  `Content-Length: ${body.length}`,
  '',
  ''
].join('\r\n')

/** A connection that is open, and kept so. */
async function keptOpen(url: string): Promise<Socket & { received: string }> {
  const { port, hostname } = new URL(url)
  const socket = Object.assign(connect(Number(port), hostname), { received: '' })
  socket.on('error', () => {})
  socket.on('data', chunk => {
    socket.received += chunk
  })
  await new Promise(resolve => socket.once('connect', resolve))
  return socket
}

const closedOf = (socket: Socket) => new Promise<void>(resolve => socket.on('close', () => resolve()))

t.test('what is in flight is finished, what is new is refused', async t => {
  const program = await startProxy(t, { logtrail: { latencyMs: 700 }, env: { ALLOWED_ORIGINS: 'https://app.example' } })
  const idle = await keptOpen(program.url)
  idle.write(head + body)
  await program.logtrail.waitFor(({ requests }) => requests.length === 1)
  const answer = program.post(entry())
  await program.logtrail.waitFor(({ requests }) => requests.length === 2)

  const closed = program.server.close()
  const page = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }
  const refused = await program.post(entry(), { headers: page })
  isError(t, refused, 503, 'SHUTTING_DOWN')
  t.equal(refused.headers.get('connection'), 'close')
  t.equal(refused.headers.get('access-control-allow-origin'), 'https://app.example', 'a page of the list can read it')
  const asked = { ...page, 'access-control-request-method': 'POST', 'access-control-request-headers': 'content-type' }
  const preflight = await program.post(undefined, { method: 'OPTIONS', headers: asked, user: null })
  t.equal(preflight.status, 204, 'since its preflight was answered')
  t.equal(preflight.headers.get('connection'), 'close')
  t.match(await program.get('/readyz'), { status: 503, body: { status: 'stopping' } })
  t.equal((await program.get('/healthz')).status, 200)
  t.equal((await answer).status, 201)
  await closed
  t.equal(program.server.close() instanceof Promise, true)
  await program.server.close()
  t.same(statuses(idle.received), [201])
  t.equal(program.logtrail.entries().length, 2)
  await t.rejects(program.post(entry()), 'nobody listens any more')
  await t.rejects(fetch(program.admin), 'nor there')
})

t.test('SHUTDOWN_TIMEOUT: who waits longer is told 503, and no longer waited for', async t => {
  const env = { SHUTDOWN_TIMEOUT: '900ms', LOGTRAIL_TIMEOUT: '1m' }
  const program = await startProxy(t, { env })
  program.logtrail.faults.always({ kind: 'hang' })
  const hanging = program.post(entry())
  await program.logtrail.waitFor(({ requests }) => requests.length === 1)
  const slow = await keptOpen(program.url)
  slow.write(`${head}{`)
  const silent = await keptOpen(program.url)
  const slowClosed = closedOf(slow)
  const silentClosed = closedOf(silent)
  const started = Date.now()
  const closed = program.server.close()
  isError(t, await hanging, 503, 'SHUTTING_DOWN')
  await Promise.all([closed, slowClosed, silentClosed])
  t.ok(Date.now() - started < 4000, `took ${Date.now() - started} ms`)
  t.same(statuses(slow.received), [503], 'whose body is still on its way too')
  t.equal(silent.received, '')
  t.notMatch(program.lines.join(''), /"level":"(error|fatal)"/)
})

t.test('SHUTDOWN_TIMEOUT is for draining to its end: the 503 comes after it, not within', async t => {
  for (const DELIVERY of ['direct', 'pooled']) {
    const env = { DELIVERY, SHUTDOWN_TIMEOUT: '1500ms' }
    const program = await startProxy(t, { env, logtrail: { latencyMs: 1200 } })
    const answer = program.post(entry())
    await program.logtrail.waitFor(({ requests }) => requests.length === 1)
    await program.server.close()
    t.equal((await answer).status, 201, DELIVERY)
  }
})

t.test('pooled: entries that wait are delivered, or told 503', async t => {
  const env = { DELIVERY: 'pooled', SHUTDOWN_TIMEOUT: '900ms', POOL_TIMEOUT: '1m', LOGTRAIL_TIMEOUT: '1m' }
  const good = await startProxy(t, { env, logtrail: { latencyMs: 300 } })
  const answer = good.post(entry())
  await good.logtrail.waitFor(({ requests }) => requests.length === 1)
  await Promise.all([good.server.close(), answer])
  t.equal((await answer).status, 201)

  const stuck = await startProxy(t, { env })
  stuck.logtrail.faults.always({ kind: 'hang' })
  const hanging = stuck.post(entry())
  await stuck.logtrail.waitFor(({ requests }) => requests.length === 1)
  const started = Date.now()
  const closed = stuck.server.close()
  isError(t, await hanging, 503, 'SHUTTING_DOWN')
  await closed
  t.ok(Date.now() - started < 4000)
})

t.test('queued: what was acknowledged is there after a restart', async t => {
  const env = { DELIVERY: 'queued', QUEUE_PATH: t.testdir({}), SHUTDOWN_TIMEOUT: '600ms', LOGTRAIL_TIMEOUT: '1m' }
  const program = await startProxy(t, { env })
  program.logtrail.faults.always({ kind: 'hang' })
  t.equal((await program.post([entry(), entry()], { path: '/logtrail/logs/bulk' })).status, 202)
  await program.server.close()
  const again = await startProxy(t, { env })
  await again.logtrail.waitFor(({ entries }) => entries().length === 2)
})

t.test('as a process: SIGTERM, in flight finished or told, exit 0', async t => {
  const logtrail = await startLogtrail({ latencyMs: 500 })
  t.teardown(() => logtrail.close())
  const start = async (more: Record<string, string>) => {
    const env = {
      PORT: '0',
      ADMIN_PORT: '0',
      LOGTRAIL_API_KEY: logtrail.key,
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_PLAN: 'free',
      SESSION_MODE: 'jwt',
      SESSION_JWT_SECRET: SECRET,
      DELIVERY: 'direct',
      ...more
    }
    const child = startChild('src/main.ts', [], env, t.testdir({}))
    t.teardown(() => void child.process.kill('SIGKILL'))
    await child.said('Server listening at ')
    const [, url = ''] = /Server listening at (http:\/\/[^"]+)/.exec(child.out()) ?? []
    return { child, url }
  }

  const one = await start({})
  const answered = raw(one.url, head + body)
  await logtrail.waitFor(({ requests }) => requests.length === 1)
  one.child.process.kill('SIGTERM')
  t.same(statuses(await answered), [201])
  t.strictSame(await one.child.ended, { status: 0, signal: null })

  logtrail.faults.always({ kind: 'hang' })
  const two = await start({ SHUTDOWN_TIMEOUT: '700ms', LOGTRAIL_TIMEOUT: '5m' })
  const told = raw(two.url, head + body)
  await logtrail.waitFor(({ requests }) => requests.length === 2)
  two.child.process.kill('SIGTERM')
  const received = await told
  t.same(statuses(received), [503])
  t.match(received, /SHUTTING_DOWN/)
  t.strictSame(await two.child.ended, { status: 0, signal: null }, 'however long Logtrail takes')
  t.notMatch(two.child.out() + two.child.err(), /unhandled|"level":"(error|fatal)"/i)
})
