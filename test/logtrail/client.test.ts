import t from 'tap'
import { connect, KEY_A, startUpstream } from './upstream.js'

const ENTRY = '{"action":"a","level":"info","message":"grüße"}'
const CREATED = { 'content-type': 'application/json' }

t.test('what leaves is the body, the two addresses and the allowlist of headers', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201, CREATED).end('{"ok":true}'))
  const { client, keyring, requests } = connect(t, upstream)

  const answer = await client.post('logs', ENTRY, { requestId: 'req-1' })
  t.match(answer, { status: 201, headers: { contentType: 'application/json' } })
  t.equal(answer.body.toString(), '{"ok":true}')
  await client.post('bulk', Buffer.from(`[${ENTRY}]`), { requestId: '' })

  const [one, bulk] = upstream.received
  t.match(one, { method: 'POST', url: '/api/v1/workspace/logs', body: ENTRY })
  t.match(bulk, { method: 'POST', url: '/api/v1/workspace/logs/bulk', body: `[${ENTRY}]` })
  t.strictSame(one?.rawHeaders, [
    ...['host', `127.0.0.1:${upstream.port}`],
    ...['connection', 'keep-alive'],
    ...['content-type', 'application/json'],
    ...['accept', 'application/json'],
    ...['user-agent', 'logtrail-bff/test'],
    ...['x-api-key', KEY_A],
    ...['x-request-id', 'req-1'],
    ...['content-length', String(Buffer.byteLength(ENTRY))]
  ])
  t.notMatch(bulk?.rawHeaders, ['x-request-id'], 'none where there is none')
  t.strictSame(requests, [201, 201])
  t.match(keyring.state(), [{ state: 'accepted' }])
})

t.test('of the headers that come back only the allowlist is there, and only where it makes sense', async t => {
  const upstream = await startUpstream(t, (response, _request, count) => {
    if (count === 1) {
      response.setHeader('Set-Cookie', ['a=1', 'b=2'])
      response.setHeader('Location', '/elsewhere')
      response.setHeader('X-Other-Heade', 'as long as retry-after is not')
      response.setHeader('X-Elevens11', 'eleven')
      response.setHeader('Retry-After', '7')
      response.setHeader('X-RateLimit-Limit', '120')
      response.setHeader('X-RateLimit-Remaining', '0')
      response.setHeader('X-RateLimit-Reset', '1790000000')
      response.writeHead(429, CREATED).end('{}')
    } else {
      response.setHeader('X-RateLimit-Limit', '120, 120;w=60')
      response.setHeader('Retry-After', 'x'.repeat(101))
      response.setHeader('Content-Type', Buffer.from('text/ü').toString('latin1'))
      response.writeHead(429).end('{}')
    }
  })
  const { client } = connect(t, upstream)
  t.strictSame((await client.post('logs', ENTRY, { requestId: '1' })).headers, {
    contentType: 'application/json',
    retryAfter: '7',
    'x-ratelimit-limit': '120',
    'x-ratelimit-remaining': '0',
    'x-ratelimit-reset': '1790000000'
  })
  t.strictSame((await client.post('logs', ENTRY, { requestId: '2' })).headers, {})
})

t.test('a redirect is an answer like any other', async t => {
  const elsewhere = await startUpstream(t, response => response.writeHead(201).end())
  for (const status of [301, 302, 303, 307, 308]) {
    const upstream = await startUpstream(t, response => response.writeHead(status, { location: elsewhere.url }).end())
    const { client } = connect(t, upstream)
    t.match(await client.post('logs', ENTRY, { requestId: '1' }), { status, headers: {} })
    t.equal(upstream.received.length, 1)
  }
  t.equal(elsewhere.received.length, 0)
})

t.test('interim answers, answers in pieces, answers without a body', async t => {
  const upstream = await startUpstream(t, (response, _request, count) => {
    if (count === 1) {
      response.writeProcessing()
      response.writeEarlyHints({ link: '</a>; rel=preload' })
      response.writeHead(201, CREATED)
      response.write('{"a":')
      setImmediate(() => {
        response.write('[1,')
        setImmediate(() => response.end('2]}'))
      })
    } else response.writeHead(204).end()
  })
  const { client } = connect(t, upstream)
  t.equal((await client.post('logs', ENTRY, { requestId: '1' })).body.toString(), '{"a":[1,2]}')
  t.match(await client.post('logs', ENTRY, { requestId: '2' }), { status: 204, body: { length: 0 } })
})

t.test('a hundred at once, each with its own answer, over no more connections than allowed', async t => {
  const sockets = new Set<unknown>()
  const upstream = await startUpstream(t, (response, request) => {
    sockets.add(response.socket)
    response.writeHead(201, CREATED).end(request.body)
  })
  const { client } = connect(t, upstream, { connections: 4 })
  const bodies = Array.from({ length: 100 }, (_, n) => `{"n":${n}}`)
  const answers = await Promise.all(bodies.map(body => client.post('logs', body, { requestId: body.slice(5, -1) })))
  t.strictSame(
    answers.map(answer => answer.body.toString()),
    bodies
  )
  t.equal(sockets.size, 4)
})

t.test('an address without a path, or with a slash at its end', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201).end())
  for (const end of ['', '/', '/v1/', '/v1//']) {
    const { client } = connect(t, { url: `http://127.0.0.1:${upstream.port}${end}` })
    await client.post('logs', ENTRY, { requestId: '1' })
  }
  t.strictSame(
    upstream.received.map(each => each.url),
    ['/logs', '/logs', '/v1/logs', '/v1/logs']
  )
})

t.test('what cannot be the address of Logtrail', async t => {
  for (const url of ['', 'logtrail.net', 'ftp://a', 'https://u:p@a/', 'https://a/?key=1', 'https://a/#b', 'unix:/a']) {
    t.throws(() => connect(t, { url }), { message: /^The address of Logtrail/ }, url)
  }
})

t.test('closing waits for what is under way, takes nothing more, and can be asked for twice', async t => {
  let release: (() => void) | undefined
  const upstream = await startUpstream(t, response => {
    release = () => response.writeHead(201).end()
    reached()
  })
  let reached = () => {}
  const here = new Promise<void>(resolve => {
    reached = resolve
  })
  const { client } = connect(t, upstream)
  const posted = client.post('logs', ENTRY, { requestId: '1' })
  await here
  const closed = client.close()
  t.equal(client.close(), closed)
  await t.rejects(client.post('logs', ENTRY, { requestId: '2' }), { kind: 'unreachable', code: 'UND_ERR_CLOSED' })
  release?.()
  t.match(await posted, { status: 201 })
  await closed
})
