import { once } from 'node:events'
import { createServer } from 'node:net'
import t, { type Test } from 'tap'
import { UpstreamFault } from '../../src/logtrail/client.js'
import { judge, type Verdict } from '../../src/logtrail/verdict.js'
import { connect, KEY_A, RANDOM_A, startRaw, startUpstream } from './upstream.js'

const ENTRY = '{"action":"a"}'
const HEAD = 'HTTP/1.1 201 Created\r\ncontent-type: application/json\r\n'

/** The fault, having looked that nothing of the request hangs on it. */
async function faultOf(t: Test, posted: Promise<unknown>): Promise<UpstreamFault> {
  const fault = await posted.then(
    () => undefined,
    (error: unknown) => error
  )
  if (!(fault instanceof UpstreamFault)) throw new Error('there was no fault', { cause: fault })
  t.strictSame(Object.keys(fault).sort(), ['code', 'kind', 'name'])
  t.equal(fault.cause, undefined)
  t.notOk(`${fault.stack}${fault.message}${JSON.stringify(fault)}`.includes(RANDOM_A))
  return fault
}

t.test('connections that end before, within and after the body', async t => {
  const cases: { name: string; kind: string; bytes: string; reset?: boolean }[] = [
    { name: 'closed before a byte', kind: 'unreachable', bytes: '' },
    { name: 'reset before a byte', kind: 'unreachable', bytes: '', reset: true },
    { name: 'closed within the headers', kind: 'unreachable', bytes: 'HTTP/1.1 201 Cre' },
    { name: 'closed within the body', kind: 'broken', bytes: `${HEAD}content-length: 20\r\n\r\n{"a":` },
    { name: 'reset within the body', kind: 'broken', bytes: `${HEAD}content-length: 20\r\n\r\n{"a":`, reset: true },
    { name: 'closed before the body', kind: 'broken', bytes: `${HEAD}content-length: 20\r\n\r\n` },
    { name: 'closed within a page', kind: 'broken', bytes: `${HEAD}content-length: 20\r\n\r\n<html>` },
    { name: 'closed once its JSON was whole', kind: 'ok', bytes: `${HEAD}content-length: 20\r\n\r\n{"a":1}` },
    { name: 'without the last chunk', kind: 'ok', bytes: `${HEAD}transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n` },
    { name: 'closed within a chunk', kind: 'broken', bytes: `${HEAD}transfer-encoding: chunked\r\n\r\nff\r\n{"a":` },
    { name: 'no http at all', kind: 'broken', bytes: '\x00\x01\x02 SSH-2.0-nothing\r\n\r\n' },
    { name: 'a status below 100', kind: 'broken', bytes: 'HTTP/1.1 099 Low\r\ncontent-length: 0\r\n\r\n' },
    { name: 'a status of two digits', kind: 'broken', bytes: 'HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n' },
    { name: 'wrong header', kind: 'broken', bytes: `${HEAD}x-y: a\x00b\r\n\r\n` },
    { name: 'two lengths', kind: 'broken', bytes: `${HEAD}content-length: 2\r\ncontent-length: 3\r\n\r\n{} ` },
    { name: 'more than its length', kind: 'ok', bytes: `${HEAD}content-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\r\n` },
    {
      name: 'headers without end',
      kind: 'broken',
      bytes: `${HEAD}${'x-many: yes, very many of them\r\n'.repeat(1000)}`
    },
    { name: '100 without being asked, and no more', kind: 'unreachable', bytes: 'HTTP/1.1 100 Continue\r\n\r\n' },
    { name: 'closed within a 100', kind: 'unreachable', bytes: 'HTTP/1.1 100 Contin' },
    {
      name: '100 without being asked, twice',
      kind: 'ok',
      bytes: `HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Go On\r\nx-a: b\r\n\r\n${HEAD}content-length: 2\r\n\r\n{}`
    },
    {
      name: 'an upgrade nobody wanted',
      kind: 'broken',
      bytes: 'HTTP/1.1 101 Up\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n'
    },
    {
      name: 'what is compressed, closed within it',
      kind: 'broken',
      bytes: `${HEAD}content-encoding: gzip\r\ncontent-length: 20\r\n\r\n{}`
    },
    {
      name: 'closed within more than is kept',
      kind: 'broken',
      bytes: `${HEAD}content-length: 9999999\r\n\r\n["${'x'.repeat(1024 * 1024)}`
    },
    { name: 'well, then reset', kind: 'ok', bytes: `${HEAD}content-length: 2\r\n\r\n{}`, reset: true },
    { name: 'until the connection ends', kind: 'ok', bytes: `${HEAD}connection: close\r\n\r\n{}` }
  ]
  for (const { name, kind, bytes, reset } of cases) {
    let requests = 0
    const upstream = await startRaw(t, socket => {
      requests++
      socket.write(bytes, () => (reset ? setImmediate(() => socket.resetAndDestroy()) : socket.end()))
    })
    const { client, requests: seen } = connect(t, upstream)
    const posted = client.post('logs', ENTRY, { requestId: '1' })
    if (kind === 'ok') t.match(await posted, { status: 201 }, name)
    else t.equal((await faultOf(t, posted)).kind, kind, name)
    t.equal(requests, 1, `${name}: sent once`)
    t.strictSame(seen, [kind === 'ok' ? 201 : 'error'], name)
    await client.close()
  }
})

t.test('a connection that closes while idle is told, not tried again', async t => {
  let requests = 0
  const upstream = await startRaw(t, socket => {
    if (++requests === 2) socket.resetAndDestroy()
    else socket.write(`${HEAD}content-length: 2\r\n\r\n{}`)
  })
  const { client } = connect(t, upstream, { connections: 1 })
  await client.post('logs', ENTRY, { requestId: '1' })
  t.match(await faultOf(t, client.post('logs', ENTRY, { requestId: '2' })), { kind: 'unreachable' })
  t.match(await client.post('logs', ENTRY, { requestId: '3' }), { status: 201 })
  t.equal(requests, 3)
})

t.test('interim answers that nobody asked for come before the one that counts', async t => {
  const upstream = await startUpstream(t, response => {
    response.writeContinue()
    response.writeContinue()
    response.writeEarlyHints({ link: '</a>; rel=preload' })
    response.writeHead(201).end('{}')
  })
  const { client, requests } = connect(t, upstream, { connections: 1 })
  for (const requestId of ['1', '2', '3']) {
    t.match(await client.post('logs', ENTRY, { requestId }), { status: 201, body: { length: 2 } })
  }
  t.strictSame(requests, [201, 201, 201])
  t.equal(upstream.received.length, 3)
})

t.test('nobody there', async t => {
  const free = createServer().listen(0, '127.0.0.1')
  await once(free, 'listening')
  const { port } = free.address() as { port: number }
  free.close()
  await once(free, 'close')
  const refused = connect(t, { url: `http://127.0.0.1:${port}/` })
  t.match(await faultOf(t, refused.client.post('logs', ENTRY, { requestId: '1' })), {
    kind: 'unreachable',
    code: 'ECONNREFUSED'
  })
  const nameless = connect(t, { url: 'http://logtrail.invalid/' })
  t.match(await faultOf(t, nameless.client.post('logs', ENTRY, { requestId: '1' })), {
    kind: 'unreachable',
    code: /ENOTFOUND|EAI_AGAIN/
  })
})

t.test('the deadline holds for the whole of it', async t => {
  t.test('one that never answers', async t => {
    const upstream = await startRaw(t, () => {})
    const { client, requests } = connect(t, upstream, { timeoutMs: 50 })
    t.match(await faultOf(t, client.post('logs', ENTRY, { requestId: '1' })), { kind: 'timeout', code: 'DEADLINE' })
    t.strictSame(requests, ['error'])
  })

  t.test('a slow drip, though each byte comes soon', async t => {
    const upstream = await startRaw(t, socket => {
      socket.write(`${HEAD}content-length: 100000\r\n\r\n{`)
      const drip = setInterval(() => socket.write(' '), 5)
      socket.on('close', () => clearInterval(drip))
    })
    const { client } = connect(t, upstream, { timeoutMs: 80 })
    const posted = client.post('logs', ENTRY, { requestId: '1' })
    t.match(await faultOf(t, posted), { kind: 'timeout' })
  })

  t.test('a server that accepts no connection', async t => {
    const silent = await startUpstream(t, () => {}, { tls: true })
    silent.server.removeAllListeners('connection')
    const { client } = connect(t, silent, { timeoutMs: 50 })
    t.match(await faultOf(t, client.post('logs', ENTRY, { requestId: '1' })), { kind: 'timeout' })
  })

  t.test('one that waits for a connection is over in time, and never sent', async t => {
    const answers: (() => void)[] = []
    const upstream = await startRaw(t, socket => answers.push(() => socket.write(`${HEAD}content-length: 2\r\n\r\n{}`)))
    const { client, requests } = connect(t, upstream, { connections: 1, timeoutMs: 100 })
    const posted = ['1', '2', '3'].map(requestId => client.post('logs', ENTRY, { requestId }))
    for (const each of await Promise.all(posted.map(each => faultOf(t, each)))) t.match(each, { kind: 'timeout' })
    const last = client.post('logs', ENTRY, { requestId: '4' })
    await t.resolves(async () => {
      while (answers.length < 2) await new Promise(setImmediate)
    })
    answers[1]?.()
    t.match(await last, { status: 201 })
    t.equal(answers.length, 2, 'the two in between never left')
    t.strictSame(requests, ['error', 'error', 'error', 201])
  })
})

t.test('one that has said all by its deadline is understood, though it does not end', async t => {
  let closed = () => {}
  const over = new Promise<void>(resolve => {
    closed = resolve
  })
  const upstream = await startRaw(t, socket => {
    socket.on('close', closed)
    socket.write(`${HEAD}transfer-encoding: chunked\r\n\r\n8\r\n{"id":1}\r\n`)
  })
  const { client, requests } = connect(t, upstream, { timeoutMs: 2000 })
  const { status, body } = await client.post('logs', ENTRY, { requestId: '1' })
  t.strictSame([status, body.toString()], [201, '{"id":1}'])
  t.strictSame(requests, [201])
  await over
})

t.test('a caller can give up: before, and while it runs', async t => {
  const upstream = await startRaw(t, () => controller.abort())
  const { client, requests } = connect(t, upstream)
  const controller = new AbortController()
  const gaveUp = { kind: 'broken', code: 'CANCELLED' }
  const before = client.post('logs', ENTRY, { requestId: '1', signal: AbortSignal.abort() })
  t.match(await faultOf(t, before), gaveUp)
  t.strictSame(requests, [])
  const during = client.post('logs', ENTRY, { requestId: '2', signal: controller.signal })
  t.match(await faultOf(t, during), gaveUp)
  t.strictSame(requests, ['error'])

  const kind = await startUpstream(t, response => response.writeHead(201).end())
  const later = new AbortController()
  const { client: other } = connect(t, kind)
  t.match(await other.post('logs', ENTRY, { requestId: '3', signal: later.signal }), { status: 201 })
  later.abort()
})

t.test('of an answer without end no more than 16 MiB are read: its beginning says what was decided', async t => {
  const cases: [number, string, Verdict['kind'] | undefined][] = [
    [201, '["', 'delivered'],
    [400, '["', 'refused'],
    [201, '<html>', undefined],
    [401, '{"', undefined],
    [500, '{"', undefined]
  ]
  for (const [status, beginning, kind] of cases) {
    const name = `${status} ${beginning}`
    let closed = () => {}
    const over = new Promise<void>(resolve => {
      closed = resolve
    })
    const upstream = await startUpstream(t, response => {
      response.on('close', closed)
      response.writeHead(status, { 'content-type': 'application/json' }).write(beginning)
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65536, 'x')));
      }
      response.on('drain', more)
      more()
    })
    const { client, requests } = connect(t, upstream)
    const posted = client.post('logs', ENTRY, { requestId: '1' })
    if (kind === undefined) t.match(await faultOf(t, posted), { kind: 'broken', code: 'ANSWER_TOO_LARGE' }, name)
    else t.equal(judge(await posted, 0).kind, kind, name)
    t.strictSame(requests, [kind === undefined ? 'error' : status], name)
    await over
  }
})

t.test('of an answer over 1 MiB nothing passes but what Logtrail decided', async t => {
  const MIB = 1024 * 1024
  const list = JSON.stringify([{ uuid: '1' }, 'x'.repeat(3 * MIB)])
  const cases: [number, string, Verdict['kind'] | undefined][] = [
    [201, list, 'delivered'],
    [200, `"${'x'.repeat(MIB)}"`, 'delivered'],
    [201, `<html>${'x'.repeat(MIB)}`, undefined],
    [201, `OK ${'x'.repeat(MIB)}`, undefined],
    [400, list, 'refused'],
    [400, `<html>${'x'.repeat(MIB)}`, undefined],
    [413, `<html>${'x'.repeat(MIB)}`, 'refused'],
    [422, list, 'refused'],
    [401, list, 'key'],
    [403, `<html>${'x'.repeat(MIB)}`, undefined],
    [500, list, 'fault']
  ]
  for (const [status, text, kind] of cases) {
    const name = `${status} ${text.slice(0, 5)}`
    const upstream = await startUpstream(t, response => response.writeHead(status).end(text))
    const { client } = connect(t, upstream)
    const posted = client.post('logs', ENTRY, { requestId: '1' })
    if (kind === undefined) {
      t.match(await faultOf(t, posted), { kind: 'broken', code: 'ANSWER_TOO_LARGE' }, name)
      continue
    }
    const answer = await posted
    t.strictSame(answer, { status, headers: {}, body: Buffer.alloc(0) }, name)
    t.equal(judge(answer, 0).kind, kind, name)
  }
  const large = await startUpstream(t, response => response.writeHead(201).end(Buffer.alloc(MIB, 32)))
  const just = await connect(t, large).client.post('logs', ENTRY, { requestId: '1' })
  t.equal(just.body.length, MIB, 'just 1 MiB is whole')
})

t.test('a compressed answer is not read: its status counts where it is one of Logtrail by its type', async t => {
  const cases: [number, string, Verdict['kind'] | undefined][] = [
    [201, 'application/json; charset=utf-8', 'delivered'],
    [201, 'application/vnd.logtrail+json', 'delivered'],
    [201, 'text/html', undefined],
    [201, '', undefined],
    [400, 'application/json', 'refused'],
    [400, '', 'refused'],
    [400, 'text/html; charset=utf-8', undefined],
    [413, 'text/html', 'refused'],
    [401, 'application/json', 'key'],
    [403, 'text/html', undefined],
    [403, '', undefined],
    [429, 'text/html', 'rate'],
    [503, 'text/html', 'fault']
  ]
  for (const [status, type, kind] of cases) {
    const upstream = await startUpstream(t, response => {
      if (type !== '') response.setHeader('content-type', type)
      response.writeHead(status, { 'content-encoding': 'gzip' }).end('\x1f\x8b')
    })
    const posted = connect(t, upstream).client.post('logs', ENTRY, { requestId: '1' })
    const name = `${status} ${type}`
    if (kind === undefined) {
      t.match(await faultOf(t, posted), { kind: 'broken', code: 'ANSWER_ENCODED' }, name)
      continue
    }
    const answer = await posted
    t.match(answer, { status, body: { length: 0 } }, name)
    t.equal(judge(answer, 0).kind, kind, name)
  }
  const empty = await startUpstream(t, response => response.writeHead(201, { 'content-encoding': 'gzip' }).end())
  t.match(await connect(t, empty).client.post('logs', ENTRY, { requestId: '2' }), { status: 201, body: { length: 0 } })
  const plain = await startUpstream(t, response =>
    response.writeHead(201, { 'content-encoding': 'identity' }).end('{}')
  )
  t.match(await connect(t, plain).client.post('logs', ENTRY, { requestId: '3' }), { body: { length: 2 } })
})

t.test('a mark before UTF-8 is no part of the JSON', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201).end('\uFEFF{"id":1}'))
  const { client } = connect(t, upstream)
  const { body } = await client.post('logs', ENTRY, { requestId: '1' })
  t.equal(body.toString(), '{"id":1}')
})

t.test('a 204 ends with its headers, whatever length they tell', async t => {
  const upstream = await startRaw(t, socket =>
    socket.end('HTTP/1.1 204 No Content\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}')
  )
  const { client, requests } = connect(t, upstream)
  t.match(await client.post('logs', ENTRY, { requestId: '1' }), { status: 204, body: { length: 0 } })
  t.strictSame(requests, [204])
})

t.test('a certificate that nobody vouches for is refused, whatever the environment says', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201).end(), { tls: true })
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  })
  const { client } = connect(t, upstream)
  t.match(await faultOf(t, client.post('logs', ENTRY, { requestId: '1' })), {
    kind: 'unreachable',
    code: 'DEPTH_ZERO_SELF_SIGNED_CERT'
  })
  const { CERTIFICATE: ca } = await import('./certificate.js')
  const elsewhere = connect(t, { url: upstream.url.replace('localhost', '127.0.0.1') }, { ca })
  t.match(
    await faultOf(t, elsewhere.client.post('logs', ENTRY, { requestId: '2' })),
    { kind: 'unreachable', code: 'ERR_TLS_CERT_ALTNAME_INVALID' },
    'nor one for another name'
  )
  t.equal(upstream.received.length, 0)

  const trusted = connect(t, upstream, { ca })
  t.match(await trusted.client.post('logs', ENTRY, { requestId: '3' }), { status: 201 })
  t.match(upstream.received, [{ key: KEY_A }])
})

t.test('a request id that is no header value is refused before anything leaves', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201).end())
  const { client } = connect(t, upstream)
  const posted = client.post('logs', ENTRY, { requestId: 'a\r\nx-api-key: b' })
  t.match(await faultOf(t, posted), { kind: 'broken', code: 'UND_ERR_INVALID_ARG' })
  t.equal(upstream.received.length, 0)
})
