import { once } from 'node:events'
import { createServer, Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import fastify, { type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import {
  CONNECTION_OPTIONS,
  createClientErrorAnswer,
  guardConnections,
  onceOver,
  type RefusedConnection
} from '../../src/guard/connections.js'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { open, raw, statuses, untilClosed } from '../helper/raw.js'
import { until } from '../outbox/until.js'

const isError = (t: Test, received: string, status: number, code: string) => {
  const [head = '', body = ''] = received.split('\r\n\r\n', 2)
  t.same(statuses(received), [status])
  t.match(head, /\r\ncache-control: no-store(\r|$)/i)
  t.match(head, /\r\nx-content-type-options: nosniff(\r|$)/i)
  t.match(head, /\r\ncontent-type: application\/json; charset=utf-8(\r|$)/i)
  t.match(head, /\r\nconnection: close(\r|$)/i)
  t.match(head, new RegExp(`content-length: ${Buffer.byteLength(body)}(\r|$)`, 'i'))
  const id = /\r\nx-request-id: ([0-9a-f-]{36})(\r|$)/i.exec(head)?.[1]
  t.match(JSON.parse(body), { error_code: code, message: String, request_id: id })
}

t.test('the limits of time are those that are told', async t => {
  t.equal(CONNECTION_OPTIONS.http.headersTimeout, 10_000)
  t.equal(CONNECTION_OPTIONS.requestTimeout, 30_000)
  t.ok(CONNECTION_OPTIONS.http.connectionsCheckingInterval <= 1000)
  t.equal(CONNECTION_OPTIONS.http.insecureHTTPParser, false)
})

t.test('and the listener has them', async t => {
  const proxy = await startProxy(t)
  // Undocumented, and cheaper than to wait half a minute for a slow body to be cut
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles()
  const server = handles.find(
    (handle): handle is Server =>
      handle instanceof Server && (handle.address() as AddressInfo).port === Number(new URL(proxy.url).port)
  )
  t.match(server, { headersTimeout: 10_000, requestTimeout: 30_000, keepAliveTimeout: 72_000, maxConnections: 4096 })
})

/** No address is over its limit. */
const nobody = async () => undefined

/** A bare server with the same guard, and less patience. */
async function impatient(t: Test): Promise<string> {
  const server = createServer(
    { ...CONNECTION_OPTIONS.http, headersTimeout: 300, requestTimeout: 300, connectionsCheckingInterval: 50 },
    (request, response) => {
      request.resume()
      request.on('end', () => response.end('read'))
    }
  )
  const answer = createClientErrorAnswer(() => {}, nobody)
  server.on('clientError', (error, socket) => answer(error, socket as Socket))
  guardConnections(
    server,
    () => {},
    () => {},
    nobody
  )
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test('slow clients are answered 408 and cut: headers, bodies, a byte at a time', async t => {
  const url = await impatient(t)
  const beginnings = {
    'half a request line': 'POST /log',
    'headers without an end': 'POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nX: y\r\n',
    'a body that does not come': 'POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{',
    'chunks that do not end': 'POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n'
  }
  await Promise.all(
    Object.entries(beginnings).map(async ([name, bytes]) => {
      const socket = open(url)
      socket.write(bytes)
      isError(t, await untilClosed(socket), 408, 'REQUEST_TIMEOUT')
      t.pass(name)
    })
  )
  const dripping = open(url)
  dripping.write('POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nX: ')
  const drip = setInterval(() => dripping.write('y'), 20)
  const received = await untilClosed(dripping)
  clearInterval(drip)
  isError(t, received, 408, 'REQUEST_TIMEOUT')
  const silent = await untilClosed(open(url))
  t.match(silent, /408|^$/, 'who says nothing at all is cut too')
})

t.test('a client that is refused and goes on sending is cut', async t => {
  const proxy = await startProxy(t)
  for (const bytes of ['CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', 'GARBAGE\r\n\r\n']) {
    const socket = open(proxy.url, true)
    socket.write(bytes)
    const drip = setInterval(() => socket.write('x'), 50)
    const started = Date.now()
    t.match(statuses(await untilClosed(socket)), [/40[05]/])
    clearInterval(drip)
    t.ok(Date.now() - started < 5000)
  }
})

t.test('a client that resets at a bad moment harms nobody', async t => {
  const proxy = await startProxy(t, { logtrail: { latencyMs: 50 } })
  const body = JSON.stringify(entry())
  const head = `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nCookie: session=${sign()}\r\n`
  const beginnings = [
    '',
    'CONNECT logtrail:443 HTTP/1.1\r\nHost: a\r\n\r\n',
    'GARBAGE\r\n\r\n',
    'POST /log',
    'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n',
    'POST / HTTP/1.1\r\nHost: a\r\nExpect: gold\r\nContent-Length: 1\r\n\r\n',
    `${head}Content-Length: 10000\r\n\r\n{"a`,
    `${head}Transfer-Encoding: chunked\r\n\r\n2\r\n{"`,
    `${head}Content-Length: ${body.length}\r\n\r\n${body}`
  ]
  for (const bytes of beginnings) {
    for (const delay of [0, 1, 5, 10]) {
      const socket = open(proxy.url)
      socket.on('error', () => {})
      await once(socket, 'connect')
      if (bytes !== '') await new Promise(resolve => socket.write(bytes, resolve))
      await new Promise(resolve => setTimeout(resolve, delay))
      socket.resetAndDestroy()
    }
  }
  t.equal((await proxy.post(entry())).status, 201, 'it goes on serving')
  const wrong = proxy.lines.filter(line => /"level":"(error|fatal)"/.test(line))
  t.same(wrong, [], 'and nothing is an error of ours')
})

t.test('headers beyond 32 KiB: 431', async t => {
  const proxy = await startProxy(t)
  for (const header of [`X: ${'y'.repeat(40_000)}`, 'A: b\r\n'.repeat(20_000), `${'n'.repeat(40_000)}: x`]) {
    isError(
      t,
      await raw(proxy.url, `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\n${header}\r\n\r\n`),
      431,
      'HEADERS_TOO_LARGE'
    )
  }
  isError(t, await raw(proxy.url, `GET /${'x'.repeat(40_000)} HTTP/1.1\r\nHost: a\r\n\r\n`), 431, 'HEADERS_TOO_LARGE')
  const cookie = `session=${sign()}; other=${'z'.repeat(30_000)}`
  t.equal((await proxy.post(entry(), { headers: { cookie } })).status, 201, 'but chunked sessions have room')
})

t.test('what is no request at all: 400', async t => {
  const proxy = await startProxy(t)
  for (const bytes of ['\u0016\u0003\u0001', 'hello\r\n\r\n', 'GET /\r\n\r\n', 'GET / HTTP/3.0\r\nHost: a\r\n\r\n']) {
    isError(t, await raw(proxy.url, Buffer.from(bytes, 'latin1')), 400, 'BAD_REQUEST')
  }
})

t.test('CONNECT opens nothing', async t => {
  const proxy = await startProxy(t)
  const received = await raw(proxy.url, 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n')
  isError(t, received, 405, 'METHOD_NOT_ALLOWED')
})

t.test('CONNECT counts for its address, and is refused for its number first', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_IP_MAX: '3' } })
  const request = 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n'
  t.equal((await proxy.get('/logtrail/nothing')).status, 404)
  for (let n = 0; n < 2; n++) isError(t, await raw(proxy.url, request), 405, 'METHOD_NOT_ALLOWED')
  const over = await raw(proxy.url, request)
  isError(t, over, 429, 'RATE_LIMIT_IP_EXCEEDED')
  t.match(over, /\r\nretry-after: [1-9]\d?\r/)
  t.match(over, /\r\nx-ratelimit-limit: 3\r\nx-ratelimit-remaining: 0\r\nx-ratelimit-reset: \d{10}\r/)
  t.equal((await proxy.get('/logtrail/nothing')).status, 429)

  const off: Record<string, string>[] = [
    { RATE_LIMIT_IP_MAX: '1', RATE_LIMIT_ALLOWLIST: '127.0.0.1' },
    { RATE_LIMIT_IP_MAX: '0' }
  ]
  for (const env of off) {
    const spared = await startProxy(t, { env })
    for (let n = 0; n < 3; n++) isError(t, await raw(spared.url, request), 405, 'METHOD_NOT_ALLOWED')
  }
})

t.test('what is refused before it is a request is counted, shown and logged like any other', async t => {
  const proxy = await startProxy(t)
  await raw(proxy.url, 'GARBAGE\r\n\r\n')
  await raw(proxy.url, `GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`)
  const received = await raw(proxy.url, 'CONNECT 127.0.0.1:1 HTTP/1.1\r\nHost: 127.0.0.1:1\r\n\r\n')
  const { text } = await proxy.get('/metrics')
  const refusals = [
    [400, 'BAD_REQUEST'],
    [431, 'HEADERS_TOO_LARGE'],
    [405, 'METHOD_NOT_ALLOWED']
  ]
  for (const [status, code] of refusals) {
    t.match(text, `logtrail_bff_requests_total{route="other",status="${status}",error_code="${code}"} 1\n`)
  }
  t.match((await proxy.get('/status')).body.refusals, { BAD_REQUEST: 1, HEADERS_TOO_LARGE: 1, METHOD_NOT_ALLOWED: 1 })
  const id = /\r\nx-request-id: (\S+)/.exec(received)![1]!
  const line = proxy.lines.map(line => JSON.parse(line)).find(({ request_id }) => request_id === id)
  t.match(line, { level: 'info', route: 'other', status: 405, error_code: 'METHOD_NOT_ALLOWED', msg: 'request' })
})

t.test('Expect: 100-continue is met; anything else expected is passed over', async t => {
  const proxy = await startProxy(t)
  const body = JSON.stringify(entry())
  const request = (expect: string, session = sign()) =>
    [
      'POST /logtrail/logs HTTP/1.1',
      'Host: a',
      'Content-Type: application/json',
      'Sec-Fetch-Site: same-origin',
      `Cookie: session=${session}`,
      `Content-Length: ${body.length}`,
      `Expect: ${expect}`,
      'Connection: close',
      '',
      ''
    ].join('\r\n')
  const socket = open(proxy.url)
  let received = ''
  socket.on('data', chunk => {
    received += chunk
    if (/^HTTP\/1\.1 100 Continue\r\n\r\n$/.test(received)) socket.write(body)
  })
  socket.write(request('100-continue'))
  await once(socket, 'close')
  t.same(statuses(received), [100, 201])
  t.same(statuses(await raw(proxy.url, request('a-miracle') + body)), [201])
  t.equal(proxy.logtrail.entries().length, 2)
})

t.test('Upgrade is passed over', async t => {
  const proxy = await startProxy(t)
  const upgrade = 'Connection: upgrade, close\r\nUpgrade: websocket, h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n'
  const received = await raw(proxy.url, `GET /logtrail/logs HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`)
  t.match(statuses(received).join(), /^405/)
})

t.test('sockets are limited', async t => {
  const server = createServer()
  const refused: RefusedConnection[] = []
  guardConnections(
    server,
    () => {},
    what => refused.push(what),
    nobody
  )
  t.equal(server.maxConnections, 4096)
  server.maxConnections = 1
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const first = open(url)
  t.teardown(() => {
    first.destroy()
    server.close()
  })
  await once(server, 'connection')
  t.equal(await untilClosed(open(url)), '')
  t.same(refused, [{ status: 444, error_code: 'TOO_MANY_CONNECTIONS' }])
})

t.test('a socket that is gone is not written to', async t => {
  const server = createServer()
  const answer = createClientErrorAnswer(() => t.fail('nothing is refused'), nobody)
  server.on('clientError', (error, socket) => {
    answer(Object.assign(error, { code: 'ECONNRESET' }), socket as Socket)
    t.ok(socket.destroyed)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const received = await raw(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'GARBAGE\r\n\r\n')
  t.equal(received, '')
})

t.test('a body that goes wrong behind its answer has none of its own: the connection ends', async t => {
  const onRefused = () => t.fail('nothing is refused')
  const app = fastify({ clientErrorHandler: createClientErrorAnswer(onRefused, nobody) })
  t.teardown(() => app.close())
  let answer: FastifyReply['raw'] | undefined
  app.addHook('onRequest', async (_request, reply) => {
    onceOver(reply, () => {})
    answer = reply.raw
    // more than the kernel takes for a client that does not read
    return reply.code(401).send('x'.repeat(50_000_000))
  })
  app.post('/', async () => {})
  const socket = open(await app.listen({ port: 0, host: '127.0.0.1' }))
  socket.write('POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n')
  while (!answer?.writableEnded) await setImmediate()
  const wrong = once(app.server, 'clientError')
  socket.write('no size\r\n')
  await wrong
  t.notOk(answer.writableFinished)
  t.same(statuses(await untilClosed(socket)), [401])
})

t.test('requests one behind the other, whose client goes away: none stays in flight', async t => {
  const proxy = await startProxy(t, { logtrail: { latencyMs: 300 }, env: { RATE_LIMIT_MAX: '0' } })
  const warned: Error[] = []
  const onWarning = (warning: Error) => void warned.push(warning)
  process.on('warning', onWarning)
  t.teardown(() => void process.off('warning', onWarning))
  const body = JSON.stringify(entry())
  const request = `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nCookie: session=${sign()}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  t.same(statuses(await raw(proxy.url, request.repeat(5))), [201, 201, 201, 201, 201])
  for (const go of ['resetAndDestroy', 'destroy', 'end'] as const) {
    const socket = open(proxy.url)
    socket.on('error', () => {})
    const { length: before } = proxy.logtrail.requests
    socket.write(request.repeat(30))
    await proxy.logtrail.waitFor(({ requests }) => requests.length === before + 30)
    socket[go]()
    await until(async () => (await proxy.get('/status')).body.inFlight === 0)
  }
  const { text } = await proxy.get('/metrics')
  const counted = [...text.matchAll(/^logtrail_bff_requests_total\{route="\/logs".*\} (\d+)$/gm)]
  t.equal(
    counted.reduce((sum, [, count]) => sum + Number(count), 0),
    95,
    'and each is counted once'
  )
  t.same(warned, [])
})
