import t, { type Test } from 'tap'
import { entry, type Program, startProxy } from '../helper/proxy.js'
import { isError } from './is-error.js'

const LISTED = 'https://app.example'
const PAGE = { origin: LISTED, 'sec-fetch-site': 'cross-site' }
const EXPOSED = [
  'retry-after',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'x-request-id',
  'x-session-tag'
]

type Answer = Awaited<ReturnType<Program['post']>>

function isReadable(t: Test, { headers }: Answer, why: string): void {
  t.equal(headers.get('access-control-allow-origin'), LISTED, `${why}: that origin, by name`)
  t.equal(headers.get('access-control-allow-credentials'), 'true', `${why}: with credentials`)
  const exposed = headers.get('access-control-expose-headers') ?? ''
  t.same(exposed.toLowerCase().split(', ').sort(), EXPOSED, `${why}: headers by name`)
  t.match(headers.get('vary'), /\borigin\b/i, `${why}: and caches know`)
}

function isUnreadable(t: Test, { headers }: Answer, why: string): void {
  for (const name of ['allow-origin', 'allow-credentials', 'expose-headers', 'allow-methods', 'allow-headers']) {
    t.equal(headers.get(`access-control-${name}`), null, `${why}: no ${name}`)
  }
}

t.test('pages of the list can read every answer, errors too', async t => {
  const env = { ALLOWED_ORIGINS: `${LISTED},https://other.example`, RATE_LIMIT_MAX: '12', LOGTRAIL_TIMEOUT: '300ms' }
  const proxy = await startProxy(t, { env })
  const post = (body: unknown, how: Parameters<Program['post']>[1] = {}) =>
    proxy.post(body, { ...how, headers: { ...PAGE, ...how?.headers } })
  const good = await post(entry())
  t.equal(good.status, 201)
  isReadable(t, good, '201')
  const errors: [Promise<Answer>, number, string][] = [
    [post('{'), 400, 'VALIDATION_INVALID_JSON'],
    [post(entry(), { user: null }), 401, 'SESSION_MISSING'],
    [post(entry(), { headers: { cookie: 'session=x' } }), 401, 'SESSION_INVALID'],
    [post(entry(), { path: '/logtrail/nowhere' }), 404, 'ROUTE_NOT_FOUND'],
    [post(undefined, { method: 'DELETE' }), 405, 'METHOD_NOT_ALLOWED'],
    [post('x'.repeat(5_000_000)), 413, 'BODY_TOO_LARGE'],
    [post(entry(), { headers: { 'content-type': 'text/html' } }), 415, 'VALIDATION_INVALID_CONTENT_TYPE']
  ]
  for (const [asked, status, code] of errors) {
    const answer = await asked
    isError(t, answer, status, code)
    isReadable(t, answer, code)
  }
  proxy.logtrail.faults.push({ kind: 'status', status: 500 }, { kind: 'hang' }, { kind: 'status', status: 429 })
  for (const status of [502, 504, 429]) {
    const answer = await post(entry())
    t.equal(answer.status, status)
    isReadable(t, answer, String(status))
  }
  let last = await post(entry())
  while (last.body?.error_code !== 'RATE_LIMIT_USER_EXCEEDED') last = await post(entry())
  isReadable(t, last, 'RATE_LIMIT_USER_EXCEEDED')
})

t.test('pages of no list can read nothing', async t => {
  for (const env of [{ ALLOWED_ORIGINS: LISTED }, {}] as Record<string, string>[]) {
    const proxy = await startProxy(t, { env })
    for (const origin of [
      'https://evil.example',
      'null',
      `${LISTED}.evil.example`,
      'http://app.example',
      `${LISTED}:444`
    ]) {
      const refused = await proxy.post(entry(), { headers: { origin, 'sec-fetch-site': 'cross-site' } })
      isError(t, refused, 403, 'ORIGIN_FORBIDDEN', origin)
      isUnreadable(t, refused, origin)
      const own = await proxy.post(entry(), { headers: { origin } })
      t.equal(own.status, 201, 'same-origin is let in whatever Origin says')
      isUnreadable(t, own, `${origin}, same-origin`)
      const preflight = await proxy.post(undefined, {
        method: 'OPTIONS',
        user: null,
        headers: { origin, 'sec-fetch-site': 'cross-site', 'access-control-request-method': 'POST' }
      })
      t.equal(preflight.status, 204)
      isUnreadable(t, preflight, `preflight of ${origin}`)
    }
  }
})

t.test('preflights are answered 204, whatever they ask for', async t => {
  const proxy = await startProxy(t, { env: { ALLOWED_ORIGINS: LISTED } })
  for (const path of ['/logtrail/logs', '/logtrail/logs/bulk', '/logtrail/logs?x=1']) {
    const answer = await proxy.post(undefined, {
      method: 'OPTIONS',
      path,
      user: null,
      headers: {
        ...PAGE,
        'content-type': undefined,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'content-type,authorization,idempotency-key,x-session-tag',
        'access-control-request-private-network': 'true'
      }
    })
    t.match(answer, { status: 204, text: '' }, path)
    isReadable(t, answer, path)
    t.equal(answer.headers.get('access-control-allow-methods'), 'POST')
    t.same(answer.headers.get('access-control-allow-headers')?.toLowerCase().split(', '), [
      'content-type',
      'authorization',
      'idempotency-key',
      'x-session-tag'
    ])
    t.match(answer.headers.get('access-control-max-age'), /^\d+$/)
    t.equal(answer.headers.get('access-control-allow-private-network'), null)
    t.equal(answer.headers.get('cache-control'), 'no-store')
  }
  const odd = [
    { 'access-control-request-method': 'DELETE' },
    { 'access-control-request-headers': 'x-evil' },
    { 'access-control-request-method': undefined },
    { cookie: 'session=forged' }
  ]
  for (const headers of odd) {
    t.equal((await proxy.post(undefined, { method: 'OPTIONS', headers: { ...PAGE, ...headers } })).status, 204)
  }
  for (const body of ['{"', '{}', 'x'.repeat(100_000)]) {
    t.equal((await proxy.post(body, { method: 'OPTIONS', headers: PAGE })).status, 204, 'with a body')
  }
  isError(
    t,
    await proxy.post(undefined, { method: 'OPTIONS', path: '/logtrail/x', headers: PAGE }),
    404,
    'ROUTE_NOT_FOUND'
  )
  t.same(proxy.logtrail.requests, [])
})
