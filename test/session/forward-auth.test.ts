/** The app's own session address, on a real server whose answers the test decides. */
import { EventEmitter, once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import type { HttpError } from '../../src/errors.js'
import { createForwardAuthSessions, type ForwardAuthOptions } from '../../src/session/forward-auth-sessions.js'
import { NOW, outcome, refusal } from './forge.js'

const ada = { userId: 'ada', via: 'cookie' }

async function setUp(t: Test, listener: RequestListener, more: Partial<ForwardAuthOptions> = {}) {
  const clock = { time: NOW }
  const seen: IncomingMessage[] = []
  const arrivals = new EventEmitter()
  const server = createServer((request, response) => {
    seen.push(request)
    listener(request, response)
    arrivals.emit('request')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const source = createForwardAuthSessions({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/auth/session?for=logs`,
    cookie: 'sid',
    userHeader: 'X-Auth-Request-User',
    userClaim: 'user.id',
    timeoutMs: 2_000,
    cacheMs: 30_000,
    userAgent: 'test/1',
    now: () => clock.time,
    ...more
  })
  t.teardown(async () => {
    await source.close()
    await source.close()
    server.closeAllConnections()
    server.close()
  })
  return { clock, seen, source, arrivals, server }
}

/** An app with one session, the cookie sid=good. */
const app: RequestListener = (request, response) => {
  if (request.headers.cookie !== 'sid=good') return void response.writeHead(401).end()
  response.writeHead(200, { 'x-auth-request-user': 'ada' }).end()
}

const answer =
  (status: number, headers: Record<string, string | string[]> = {}, body: unknown = ''): RequestListener =>
  (_, response) =>
    response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body))

t.test('asks with the session alone, by its own method, at its own address', async t => {
  const { source, seen } = await setUp(t, answer(200, { 'x-auth-request-user': 'ada' }))
  t.equal(source.readsAuthorization, true)
  t.same(
    await outcome(source, {
      cookie: 'ads=1; sid.1=b; theme=x; sid.0="a"',
      host: 'shop.test',
      origin: 'https://shop.test',
      referer: 'https://shop.test/cart',
      'x-forwarded-for': '10.0.0.1',
      'user-agent': 'a browser'
    }),
    ada
  )
  t.match(seen[0], { method: 'GET', url: '/auth/session?for=logs' })
  const { host, connection, ...headers } = seen[0]?.headers ?? {}
  t.same(headers, { accept: 'application/json', 'user-agent': 'test/1', cookie: 'sid.0="a"; sid.1=b' })
  t.match(host, /^127\.0\.0\.1:/)
  t.ok(connection)

  t.same(await outcome(source, { authorization: 'bearer  abc.d-_~+/==', cookie: 'sid=good' }), {
    userId: 'ada',
    via: 'authorization'
  })
  t.equal(seen[1]?.headers.authorization, 'Bearer abc.d-_~+/==')
  t.equal(seen[1]?.headers.cookie, undefined)
})

t.test('nothing to ask with, nothing that may be sent: no question', async t => {
  const { source, seen } = await setUp(t, app)
  t.equal(source.identify({}), null)
  t.equal(source.identify({ cookie: 'other=1', authorization: 'Basic abc' }), null)
  for (const headers of [
    { authorization: 'Bearer ' },
    { authorization: 'Bearer a b' },
    { authorization: 'Bearer a, Bearer b' },
    { authorization: 'Bearer ä' },
    { authorization: `Bearer ${'a'.repeat(15_000)}` },
    { cookie: `sid=${'a'.repeat(15_000)}` },
    { cookie: 'sid=a; sid=b' }
  ]) {
    t.equal(await outcome(source, headers), 'SESSION_INVALID')
  }
  t.equal(seen.length, 0)
})

t.test('what its answers come to', async t => {
  const user = { 'x-auth-request-user': 'ada' }
  const cases: [string, RequestListener, unknown][] = [
    ['a user in the header', answer(200, user), ada],
    ['204 with a user', answer(204, user), ada],
    ['a user in the body', answer(200, {}, { user: { id: 'ada' } }), ada],
    ['a number in the body', answer(200, {}, { user: { id: 7 } }), { userId: '7', via: 'cookie' }],
    ['an empty header, a user in the body', answer(200, { 'x-auth-request-user': '' }, { user: { id: 'ada' } }), ada],
    [
      'UTF-8 in the header',
      answer(200, { 'x-auth-request-user': Buffer.from('Zoë').toString('latin1') }),
      { userId: 'Zoë', via: 'cookie' }
    ],
    ['blanks and tabs round it', answer(200, { 'x-auth-request-user': ' \tada\t ' }), ada],
    ...['ada\u00a0', '\u3000ada', 'ada\u2003', 'ada\u2028', '\ufeffada', 'ada\ufeff'].map(
      (userId): [string, RequestListener, unknown] => [
        `another user: ${encodeURIComponent(userId)}`,
        answer(200, { 'x-auth-request-user': Buffer.from(userId).toString('latin1') }),
        { userId, via: 'cookie' }
      ]
    ),
    ['Latin-1 in the header', answer(200, { 'x-auth-request-user': 'Zo\xeb' }), { userId: 'Zoë', via: 'cookie' }],
    ['Auth.js without a session', answer(200, {}, null), 'SESSION_INVALID'],
    ['an empty object', answer(200, {}, {}), 'SESSION_INVALID'],
    ['nothing', answer(200), 'SESSION_INVALID'],
    ['a page', answer(200, {}, '<html>sign in</html>'), 'SESSION_INVALID'],
    ['a user that is none', answer(200, {}, { user: { id: ['ada'] } }), 'SESSION_INVALID'],
    ['a header that is too long', answer(200, { 'x-auth-request-user': 'a'.repeat(257) }), 'SESSION_INVALID'],
    ['two users', answer(200, { 'x-auth-request-user': ['ada', 'eve'] }), 'SESSION_INVALID'],
    ['401', answer(401, user), 'SESSION_INVALID'],
    ['403', answer(403, user), 'SESSION_INVALID'],
    ['302', answer(302, { ...user, location: '/login' }), 'SESSION_INVALID'],
    ['304', answer(304, user), 'SESSION_INVALID'],
    ['404', answer(404, user), 'SESSION_UNAVAILABLE'],
    ['429', answer(429, user), 'SESSION_UNAVAILABLE'],
    ['500', answer(500, user), 'SESSION_UNAVAILABLE'],
    ['a session that is over', answer(200, user, { expires: '2020-01-01T00:00:00Z' }), 'SESSION_EXPIRED'],
    ['an answer too large', answer(200, user, 'x'.repeat(70_000)), 'SESSION_UNAVAILABLE'],
    ['no answer', request => request.destroy(), 'SESSION_UNAVAILABLE'],
    [
      'half an answer',
      (request, response) =>
        void response.writeHead(200, { ...user, 'content-length': '9' }).write('a', () => request.destroy()),
      'SESSION_UNAVAILABLE'
    ],
    ['no HTTP', request => void request.socket.end('SSH-2.0\r\n'), 'SESSION_UNAVAILABLE']
  ]
  for (const [name, listener, expected] of cases) {
    const { source } = await setUp(t, listener)
    t.same(await outcome(source, { cookie: 'sid=x' }), expected, name)
  }
})

t.test('redirects are refused, not followed', async t => {
  const { source, seen } = await setUp(t, answer(302, { location: '/elsewhere' }))
  t.equal(await outcome(source, { cookie: 'sid=x' }), 'SESSION_INVALID')
  t.equal(seen.length, 1)
})

t.test('an answer is good for as long as configured', async t => {
  const { clock, source, seen } = await setUp(t, app, { cacheMs: 10_000 })
  const good = { cookie: 'a=1; sid=good' }
  t.same(await outcome(source, good), ada)
  t.same(source.identify(good), ada, 'without a promise')
  clock.time += 9_999
  t.same(source.identify({ cookie: 'sid=good; b=2' }), ada, 'other cookies do not matter')
  t.equal(seen.length, 1)
  clock.time += 1
  t.same(await outcome(source, good), ada)
  t.equal(seen.length, 2)
})

t.test('or as the answer says that the session lasts', async t => {
  const ends: [string, object, object][] = [
    ['Auth.js', {}, { expires: new Date(NOW + 5_000).toISOString() }],
    ['seconds', {}, { exp: NOW / 1000 + 5 }],
    ['milliseconds', {}, { expiresAt: NOW + 5_000 }],
    ['seconds as text', {}, { expires_at: String(NOW / 1000 + 5) }],
    ['Better Auth', {}, { session: { expiresAt: new Date(NOW + 5_000).toISOString() } }],
    ['max-age', { 'cache-control': 'private, max-age=5' }, {}],
    ['the earliest', { 'cache-control': 'max-age=20' }, { exp: NOW / 1000 + 9, session: { expires: NOW + 5_000 } }]
  ]
  for (const [name, headers, body] of ends) {
    const { clock, source, seen } = await setUp(t, answer(200, { ...headers }, { user: { id: 'ada' }, ...body }))
    t.same(await outcome(source, { cookie: 'sid=x' }), ada)
    clock.time += 4_999
    t.same(source.identify({ cookie: 'sid=x' }), ada, name)
    clock.time += 1
    t.match(await outcome(source, { cookie: 'sid=x' }), name === 'max-age' ? ada : 'SESSION_EXPIRED', name)
    t.equal(seen.length, 2)
  }
  const silent: [Record<string, string>, object][] = [
    [{ 'cache-control': 'private, no-cache, no-store, max-age=0' }, { expires: null, session: 'x' }],
    [{ expires: '0' }, { expires: 'never', exp: Number.MAX_VALUE }]
  ]
  for (const [headers, body] of silent) {
    const { clock, source, seen } = await setUp(t, answer(200, { ...headers }, { user: { id: 'ada' }, ...body }))
    await source.identify({ cookie: 'sid=x' })
    clock.time += 29_999
    t.same(source.identify({ cookie: 'sid=x' }), ada, 'says nothing of the session')
    t.equal(seen.length, 1)
  }
})

t.test('a refusal is good for two seconds', async t => {
  const { clock, source, seen } = await setUp(t, app)
  for (let i = 0; i < 5; i++) t.equal(await outcome(source, { cookie: 'sid=bad' }), 'SESSION_INVALID')
  t.match(await refusal(source, { cookie: 'sid=bad' }), { cause: 'session address: it answers 401' })
  t.equal(seen.length, 1)
  clock.time += 2_000
  t.equal(await outcome(source, { cookie: 'sid=bad' }), 'SESSION_INVALID')
  t.equal(seen.length, 2)
})

t.test('a cookie and a token of the same letters are different questions', async t => {
  const { source, seen } = await setUp(t, app)
  t.same(await outcome(source, { cookie: 'sid=good' }), ada)
  t.equal(await outcome(source, { authorization: 'Bearer good' }), 'SESSION_INVALID')
  t.equal(await outcome(source, { authorization: 'Bearer sid=good' }), 'SESSION_INVALID')
  t.equal(await outcome(source, { cookie: 'sid.0=good' }), 'SESSION_INVALID', 'the app did not see its cookie')
  t.equal(seen.length, 3)
})

t.test('a cache of nothing asks every time', async t => {
  const { source, seen } = await setUp(t, app, { cacheMs: 0 })
  for (let i = 0; i < 3; i++) t.same(await outcome(source, { cookie: 'sid=good' }), ada)
  for (let i = 0; i < 3; i++) t.equal(await outcome(source, { cookie: 'sid=bad' }), 'SESSION_INVALID')
  t.equal(seen.length, 6)
})

t.test('one question at a time for one session', async t => {
  const { source, seen } = await setUp(t, app)
  const results = await Promise.all(Array.from({ length: 50 }, () => outcome(source, { cookie: 'sid=good' })))
  t.ok(results.every(result => (result as { userId: string }).userId === 'ada'))
  t.equal(seen.length, 1)
  const refused = await Promise.all(Array.from({ length: 50 }, () => outcome(source, { cookie: 'sid=bad' })))
  t.same(new Set(refused), new Set(['SESSION_INVALID']))
  t.equal(seen.length, 2)
})

t.test('faults are told, not remembered', async t => {
  let broken = true
  const { source, seen } = await setUp(t, (request, response) => {
    if (broken) response.writeHead(502).end()
    else app(request, response)
  })
  const error = await refusal(source, { cookie: 'sid=good' })
  t.match(error, { statusCode: 503, retryAfter: 1, cause: 'session address: it answers 502' })
  broken = false
  t.same(await outcome(source, { cookie: 'sid=good' }), ada)
  t.equal(seen.length, 2)
})

t.test('a flood of different sessions: few questions at once, the rest refused in bounded time', async t => {
  // Holds every question until a full four are there: they come together, and no fifth ever does.
  let held: (() => void)[] = []
  let most = 0
  let width = 4
  const { source, seen } = await setUp(
    t,
    (request, response) => {
      held.push(() => app(request, response))
      most = Math.max(most, held.length)
      if (held.length < width) return
      const ready = held
      held = []
      setImmediate(() => {
        for (const answerIt of ready) answerIt()
      })
    },
    { concurrency: 4 }
  )
  const flood = Array.from({ length: 1000 }, (_, i) => outcome(source, { cookie: `sid=bad${i}` }))
  const results = await Promise.all(flood)
  t.equal(most, 4)
  t.equal(seen.length, 260, 'four at once, 256 in line')
  t.equal(results.filter(code => code === 'SESSION_INVALID').length, 260)
  t.equal(results.filter(code => code === 'SESSION_UNAVAILABLE').length, 740)
  width = 1
  t.same(await outcome(source, { cookie: 'sid=good' }), ada, 'and then it goes on')
})

t.test('an address that never answers: time out, and so do those in line', async t => {
  const { source, seen } = await setUp(t, () => {}, { timeoutMs: 100, concurrency: 1 })
  const errors: HttpError[] = await Promise.all([
    refusal(source, { cookie: 'sid=a' }),
    refusal(source, { cookie: 'sid=b' })
  ])
  t.match(errors[0], { code: 'SESSION_UNAVAILABLE', cause: 'session address: no answer within 100 ms' })
  t.match(errors[1], { code: 'SESSION_UNAVAILABLE', cause: /no turn within 100 ms|no answer within 100 ms/ })
  t.ok(seen.length <= 2)
})

t.test('an answer that drips is cut at the same time', async t => {
  const { source } = await setUp(
    t,
    (_, response) => {
      response.writeHead(200, { 'x-auth-request-user': 'ada' })
      const drip = setInterval(() => response.write('x'), 20)
      response.on('close', () => clearInterval(drip))
    },
    { timeoutMs: 200 }
  )
  t.match(await refusal(source, { cookie: 'sid=a' }), { cause: 'session address: no answer within 200 ms' })
})

t.test('the check asks without a session, and not too often', async t => {
  const checks: [RequestListener, object][] = [
    [app, { ok: true, message: /^the session address at 127\.0\.0\.1:\d+ answers$/ }],
    [answer(302, { location: '/login' }), { ok: true }],
    [answer(200, {}, null), { ok: true }],
    [answer(404), { ok: false, message: /^the session address at 127\.0\.0\.1:\d+: it answers 404$/ }],
    [answer(200, { 'x-auth-request-user': 'ada' }), { ok: false, message: /would let anyone in/ }],
    [request => request.destroy(), { ok: false, message: /no answer/ }]
  ]
  for (const [listener, expected] of checks) {
    const { clock, source, seen } = await setUp(t, listener)
    t.match(await source.check(), expected)
    clock.time += 4_999
    t.match(await source.check(), expected)
    t.equal(seen.length, 1)
    clock.time += 1
    await source.check()
    t.equal(seen.length, 2)
    t.equal(seen[0]?.headers.cookie, undefined)
  }
})
