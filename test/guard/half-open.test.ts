/**
 * A client that has said all it has to say and closes its side (`nc -N`, shutdown(SHUT_WR)) waits for its answer still. It
 * got none, although its entries may have been delivered.
 */
import { connect } from 'node:net'
import t from 'tap'
import { entry, type Program, sign, startProxy } from '../helper/proxy.js'
import { open, statuses, untilClosed } from '../helper/raw.js'
import { until } from '../outbox/until.js'

const body = JSON.stringify(entry())
const head = `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nCookie: session=${sign()}\r\nContent-Length: ${body.length}\r\n\r\n`

/** Everything that comes after `bytes` and the end of our side, until the other side has closed too. */
function halfClosed(url: string, bytes: string): Promise<string> {
  const socket = open(url, true)
  socket.end(bytes)
  return untilClosed(socket)
}

const inFlight = async ({ get }: Program): Promise<number> => (await get('/status')).body.inFlight

for (const DELIVERY of ['direct', 'pooled']) {
  t.test(`${DELIVERY}: it is answered, and then the connection ends`, async t => {
    const program = await startProxy(t, { env: { DELIVERY }, logtrail: { latencyMs: 200 } })
    t.same(statuses(await halfClosed(program.url, head + body)), [201])
    t.same(statuses(await halfClosed(program.url, (head + body).repeat(3))), [201, 201, 201], 'each of several')
    t.equal(program.logtrail.entries().length, 4)
    t.same(statuses(await halfClosed(program.url, 'GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n')), [404])
    t.equal(await inFlight(program), 0)
    t.notMatch(program.lines.join(''), /CLIENT_GONE/)
  })
}

t.test('who says less than a request is not waited for', async t => {
  const program = await startProxy(t)
  t.equal(await halfClosed(program.url, ''), '')
  for (const bytes of ['POST /logt', head.slice(0, -2), head, head + body.slice(1)]) {
    t.same(statuses(await halfClosed(program.url, bytes)), [400])
  }
  await until(async () => (await inFlight(program)) === 0)
  t.equal(program.logtrail.requests.length, 0)
})

t.test('it is told 503 at the end like any other', async t => {
  const program = await startProxy(t, { env: { SHUTDOWN_TIMEOUT: '100ms', LOGTRAIL_TIMEOUT: '1m' } })
  program.logtrail.faults.always({ kind: 'hang' })
  const received = halfClosed(program.url, head + body)
  await program.logtrail.waitFor(({ requests }) => requests.length === 1)
  const started = performance.now()
  await program.server.close()
  t.same(statuses(await received), [503])
  t.ok(performance.now() - started < 4000)
})

t.test('one that is gone for good is in flight no longer than its answer takes', async t => {
  const program = await startProxy(t, { env: { LOGTRAIL_TIMEOUT: '300ms' } })
  program.logtrail.faults.always({ kind: 'hang' })
  const { port, hostname } = new URL(program.url)
  const socket = connect(Number(port), hostname, () => socket.write(head + body))
  await program.logtrail.waitFor(({ requests }) => requests.length === 1)
  socket.destroy()
  await until(async () => (await inFlight(program)) === 0)
  const reset = connect(Number(port), hostname, () => reset.write(head + body))
  reset.on('error', () => {})
  await program.logtrail.waitFor(({ requests }) => requests.length === 2)
  reset.resetAndDestroy()
  await until(async () => (await inFlight(program)) === 0)
  t.match(program.lines.join(''), /"error_code":"CLIENT_GONE"/, 'a reset is seen at once')
})
