import httpProxy from '@fastify/http-proxy'
import Fastify from 'fastify'
import t from 'tap'
import type { ProxiedResponse } from '../../src/logtrail/answer.js'
import { type RequestedAnswer, type RequestOptions, UpstreamFault } from '../../src/logtrail/client.js'
import { connect, KEY_A, KEY_B, startUpstream } from './upstream.js'

const PATH = '/api/v1/workspace/logs'

t.test('nothing but a POST of a body to one of the two addresses gets through', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201).end())
  const { client } = connect(t, upstream)
  const good = { path: PATH, method: 'POST', body: '{}' }
  const bad: RequestOptions[] = [
    ...['GET', 'PUT', 'DELETE', 'post', 'POST ', 'CONNECT'].map(method => ({ ...good, method })),
    ...[
      '/logs',
      '/api/v1/workspace/info',
      '/api/v1/workspace/logs/query',
      `${PATH}/`,
      `${PATH}?a=1`,
      `${PATH}#`,
      `${PATH}/../usage`,
      `/${PATH}`,
      PATH.toUpperCase(),
      PATH.replace('logs', 'log%73'),
      `${upstream.url}/logs`,
      ''
    ].map(path => ({ ...good, path })),
    ...['http://127.0.0.1:1', 'https://api.logtrail.net', new URL('http://localhost/'), ''].map(origin => ({
      ...good,
      origin
    })),
    ...[undefined, null, new ReadableStream(), {}, 5].map(body => ({ ...good, body }))
  ]
  for (const options of bad) {
    const error = await new Promise(resolve => client.requestable.request(options, resolve))
    t.match(error, { kind: 'broken', code: 'TARGET_REFUSED' }, JSON.stringify(options))
  }
  t.equal(upstream.received.length, 0)

  for (const origin of [undefined, new URL(upstream.url).origin, new URL('/', upstream.url)]) {
    const error = await new Promise(resolve => client.requestable.request({ ...good, origin }, resolve))
    t.equal(error, null)
  }
  t.notMatch(upstream.received[0]?.rawHeaders, ['x-request-id'])
})

t.test('of the headers it is given only the request id counts', async t => {
  const upstream = await startUpstream(t, response => {
    response.setHeader('set-cookie', 'a=b')
    response
      .writeHead(429, { 'content-type': 'application/json', 'retry-after': '3', 'x-ratelimit-limit': '9' })
      .end('{}')
  })
  const { client } = connect(t, upstream)
  const answer = await new Promise<RequestedAnswer | undefined>((resolve, reject) =>
    client.requestable.request(
      {
        path: `${PATH}/bulk`,
        method: 'POST',
        body: Buffer.from('[]'),
        headers: {
          cookie: 'session=s',
          authorization: 'Bearer x',
          'x-api-key': 'mine',
          'x-request-id': 'id-1',
          te: 'x'
        }
      },
      (error, answer) => (error ? reject(error) : resolve(answer))
    )
  )
  t.strictSame(answer, {
    statusCode: 200,
    headers: {},
    body: {
      status: 429,
      headers: { contentType: 'application/json', retryAfter: '3', 'x-ratelimit-limit': '9' },
      body: Buffer.from('{}')
    }
  })
  const names = upstream.received[0]?.rawHeaders.filter((_, index) => index % 2 === 0)
  t.strictSame(names, [
    ...['host', 'connection', 'content-type', 'accept', 'user-agent', 'x-api-key', 'x-request-id', 'content-length']
  ])
  t.match(upstream.received, [{ key: KEY_A, body: '[]' }])
  t.ok(upstream.received[0]?.rawHeaders.includes('id-1'))
})

t.test('a callback that throws is called with its error, instead of leaving the browser to wait', async t => {
  const upstream = await startUpstream(t, response => response.writeHead(201).end())
  const { client } = connect(t, upstream)
  const thrown = new Error('in the callback')
  const error = await new Promise(resolve =>
    client.requestable.request({ path: PATH, method: 'POST', body: '{}' }, error => {
      if (error === null) throw thrown
      resolve(error)
    })
  )
  t.equal(error, thrown)
})

t.test('under @fastify/http-proxy', async t => {
  const upstream = await startUpstream(t, (response, request, count) => {
    response.setHeader('set-cookie', `stolen=${request.key}`)
    if (request.key === KEY_A) response.writeHead(401).end()
    else if (count === 2) {
      response.writeHead(201, { 'content-type': 'application/json', 'x-ratelimit-limit': '5' }).end('{"id":1}')
    } else response.destroy()
  })
  const { client } = connect(t, upstream, { keys: [KEY_A, KEY_B] })
  const app = Fastify()
  t.teardown(() => app.close())
  const seen: unknown[] = []
  await app.register(httpProxy, {
    upstream: upstream.url,
    httpMethods: ['POST'],
    routes: ['/in'],
    proxyPayloads: false,
    undici: client.requestable as never,
    handler: (_request, reply) =>
      reply.from(PATH, {
        body: '{"a":1}',
        contentType: 'application/json',
        onResponse(_request, reply, response) {
          const answer = (response as unknown as ProxiedResponse).stream
          seen.push(answer)
          reply.code(answer.status).send(answer.body as never)
        },
        onError(reply, { error }) {
          seen.push(error.cause)
          reply.code(502).send('{}' as never)
        }
      })
  })
  const headers = { cookie: 'session=s', connection: 'x-api-key', 'x-api-key': 'forged', 'x-request-id': 'id-2' }
  const good = await app.inject({ method: 'POST', url: '/in', headers, payload: { a: 2 } })
  t.equal(good.statusCode, 201)
  t.equal(good.body, '{"id":1}')
  t.equal(good.headers['set-cookie'], undefined)
  const bad = await app.inject({ method: 'POST', url: '/in', headers, payload: { a: 2 } })
  t.equal(bad.statusCode, 502)
  t.match(seen, [
    {
      status: 201,
      headers: { contentType: 'application/json', 'x-ratelimit-limit': '5' },
      body: Buffer.from('{"id":1}')
    },
    { kind: 'unreachable', code: 'UND_ERR_SOCKET' }
  ])
  t.ok(seen[1] instanceof UpstreamFault)
  t.strictSame(
    upstream.received.map(each => [each.url, each.key, each.body]),
    [
      [PATH, KEY_A, '{"a":1}'],
      [PATH, KEY_B, '{"a":1}'],
      [PATH, KEY_B, '{"a":1}']
    ]
  )
  t.notOk(upstream.received.some(each => each.rawHeaders.some(header => /cookie|forged|session/.test(header))))
})
