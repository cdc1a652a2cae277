/**
 * What goes wrong on a connection is not answered before what came first, and not beside the request that it belongs to. A
 * client that took a 400 or a 408 for the answer to a request that was delivered dropped its entries, or sent them twice.
 */
import { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { entry, type Program, sign, startProxy } from '../helper/proxy.js'
import { open, raw, statuses, untilClosed } from '../helper/raw.js'

const body = JSON.stringify(entry())
const PAGE = 'https://page.example'

const head = (...more: string[]) =>
  [
    'POST /logtrail/logs HTTP/1.1',
    'Host: a',
    'Content-Type: application/json',
    `Origin: ${PAGE}`,
    `Cookie: session=${sign()}`,
    ...more,
    '',
    ''
  ].join('\r\n')
const whole = head(`Content-Length: ${body.length}`) + body

const start = (t: Test, env: Record<string, string> = {}) =>
  startProxy(t, { env: { ALLOWED_ORIGINS: PAGE, QUEUE_PATH: t.testdir({}), ...env }, logtrail: { latencyMs: 200 } })

/** Requests that the program has counted, by status and code, without those of the admin listener. */
async function counted({ admin }: Program): Promise<string[]> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const found = text.matchAll(/^logtrail_bff_requests_total\{route="(.*)",status="(.*)",error_code="(.*)"\} (\d+)$/gm)
  return [...found].map(([, route, status, code, count]) => `${route} ${status} ${code} ${count}`)
}

const IMPATIENT = { headersTimeout: 500, requestTimeout: 500 }

/** The program's own server, whose times nobody else can shorten. */
function serverOf({ url }: Program): Server {
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles()
  const port = Number(new URL(url).port)
  return handles.find(
    (handle): handle is Server => handle instanceof Server && (handle.address() as AddressInfo | null)?.port === port
  ) as Server
}

for (const DELIVERY of ['direct', 'pooled', 'queued']) {
  t.test(`${DELIVERY}: what comes behind a request is answered behind it`, async t => {
    const program = await start(t, { DELIVERY })
    const taken = DELIVERY === 'queued' ? 202 : 201
    for (const [wrong, status] of [
      [`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(33_000)}\r\n\r\n`, 431],
      ['CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 405],
      ['GARBAGE\r\n\r\n', 400],
      [`GARBAGE\r\n\r\n${'x'.repeat(100_000)}`, 400]
    ] as const) {
      t.same(statuses(await raw(program.url, whole + wrong)), [taken, status], String(status))
      t.same(statuses(await raw(program.url, whole + whole + wrong)), [taken, taken, status], 'of several')
    }
    await program.logtrail.waitFor(({ entries }) => entries().length === 12)
  })
}

t.test('a request that does not end does not cut off the one before it', async t => {
  const program = await start(t, { DELIVERY: 'pooled', POOL_TIMEOUT: '1s', LOGTRAIL_TIMEOUT: '1500ms' })
  program.logtrail.faults.always({ kind: 'hang' })
  Object.assign(serverOf(program), IMPATIENT)
  const socket = open(program.url)
  socket.write(`${whole}${head('Content-Length: 100')}{`)
  t.same(statuses(await untilClosed(socket)), [504, 408])
})

t.test('a body that goes wrong is answered as its request is: to its page, and counted once', async t => {
  const program = await start(t)
  const isItsOwn = (received: string, status: number) => {
    t.same(statuses(received), [status])
    t.match(received, /^access-control-allow-origin: https:\/\/page\.example\r$/im)
    t.match(received, /^x-session-tag: \S+\r$/im)
    t.match(received, /^connection: close\r$/im)
  }
  const chunked = open(program.url)
  chunked.write(`${head('Transfer-Encoding: chunked')}1\r\n{\r\n`)
  while ((await program.get('/status')).body.inFlight === 0);
  chunked.write('no size\r\n')
  isItsOwn(await untilClosed(chunked), 400)
  t.same(await counted(program), ['/logs 400 BAD_REQUEST 1'])
  Object.assign(serverOf(program), IMPATIENT)
  const socket = open(program.url)
  socket.write(`${head('Content-Length: 100')}{`)
  isItsOwn(await untilClosed(socket), 408)
  t.same(await counted(program), ['/logs 400 BAD_REQUEST 1', '/logs 408 REQUEST_TIMEOUT 1'])
  t.equal(program.logtrail.requests.length, 0)
})

t.test('what is no request counts for its address', async t => {
  const program = await start(t, { RATE_LIMIT_IP_MAX: '3' })
  const found: number[] = []
  for (const wrong of [
    'GARBAGE\r\n\r\n',
    'GET / HTTP/1.2\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GARBAGE\r\n\r\n'
  ]) {
    const received = await raw(program.url, wrong)
    found.push(...statuses(received))
    if (found.length === 4) t.match(received, /^retry-after: \d+\r$/im)
  }
  t.same(found, [400, 400, 400, 429])
  t.same(statuses(await raw(program.url, whole)), [429])
})

t.test('HTTP/1.0 need not name a host', async t => {
  const program = await start(t)
  t.match(await raw(program.url, 'GET /logtrail/client.js HTTP/1.0\r\n\r\n'), /^HTTP\/1\.1 200 /)
  t.match(await raw(program.url, 'GET /logtrail/client.js HTTP/1.0\r\nHost: a b\r\n\r\n'), /^HTTP\/1\.1 400 /)
  t.match(await raw(program.url, 'GET /logtrail/client.js HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n'), /^HTTP\/1\.1 400 /)
  const nowhere = whole.replace('HTTP/1.1\r\nHost: a', 'HTTP/1.0')
  t.match(await raw(program.url, nowhere), /^HTTP\/1\.1 201 /)
  t.match(await raw(program.url, nowhere.replace(PAGE, 'http://a')), /^HTTP\/1\.1 403 /)
})

t.test('a client that sends a hundred requests at once and waits for none is cut', async t => {
  const program = await start(t)
  const nothing = 'GET /nothing HTTP/1.1\r\nHost: a\r\n\r\n'
  t.same(statuses(await raw(program.url, nothing.repeat(100))), Array(100).fill(404), 'as many are answered')
  for (const many of [nothing.repeat(8000), whole.repeat(200)]) {
    const socket = open(program.url)
    socket.on('error', () => {})
    const closed = new Promise(resolve => socket.once('close', resolve))
    socket.write(many)
    socket.resume()
    await closed
    while ((await program.get('/status')).body.inFlight > 0);
  }
  t.same(statuses(await raw(program.url, whole)), [201], 'others go on')
})
