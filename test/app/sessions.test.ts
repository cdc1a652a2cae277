import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createSessionTagger } from '../../src/session/tag.js'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { entry, SECRET, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'
import { isError } from './is-error.js'

t.test('a session source that is down lets nobody in, and says when to come again', async t => {
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => closed.once('listening', resolve))
  const { port } = closed.address() as AddressInfo
  await new Promise(resolve => closed.close(resolve))
  const jwks = {
    SESSION_JWKS_URL: `http://127.0.0.1:${port}/keys`,
    SESSION_JWT_ISSUER: 'https://login',
    SESSION_JWT_AUDIENCE: 'app'
  }
  const modes: Record<string, Record<string, string>> = {
    jwks: { SESSION_MODE: 'jwt', ...jwks },
    'forward-auth': { SESSION_MODE: 'forward-auth', SESSION_AUTH_URL: `http://127.0.0.1:${port}/me` },
    redis: {
      SESSION_MODE: 'redis',
      SESSION_REDIS_URL: `redis://127.0.0.1:${port}`,
      SESSION_SECRET: 'a secret of thirty-two characters'
    }
  }
  const rs256 = sign({}, 'any', { alg: 'RS256', kid: 'a' } as never)
  const cookies: Record<string, string> = {
    jwks: `session=${rs256}`,
    'forward-auth': 'session=opaque',
    redis: `session=${encodeURIComponent(signCookie('abc', 'a secret of thirty-two characters'))}`
  }
  for (const [name, env] of Object.entries(modes)) {
    for (const ANONYMOUS of ['deny', 'allow']) {
      const proxy = await startProxy(t, { env: { SESSION_JWT_SECRET: '', ANONYMOUS, ...env } })
      const answer = await proxy.post(entry(), { headers: { cookie: cookies[name] } })
      isError(t, answer, 503, 'SESSION_UNAVAILABLE', `${name} ${ANONYMOUS}`)
      t.notMatch(answer.text, /127\.0\.0\.1|ECONN|redis|keys/i)
      t.same(proxy.logtrail.requests, [])
    }
  }
})

/** As cookie-signature does. */
function signCookie(value: string, secret: string): string {
  return `s:${value}.${createHmac('sha256', secret).update(value).digest('base64').replace(/=+$/, '')}`
}

t.test('never a redirect, never a name', async t => {
  const proxy = await startProxy(t)
  const now = Math.floor(Date.now() / 1000)
  isError(t, await proxy.post(entry(), { user: null }), 401, 'SESSION_MISSING')
  const cases: [string, string][] = [
    [sign({ exp: now - 3600 }), 'SESSION_EXPIRED'],
    [sign({}, 'another secret that is long enough for it'), 'SESSION_INVALID'],
    [sign({ sub: undefined }), 'SESSION_INVALID'],
    ['garbage', 'SESSION_INVALID']
  ]
  for (const [token, code] of cases) {
    const byCookie = await proxy.post(entry(), { headers: { cookie: `session=${token}` } })
    isError(t, byCookie, 401, code)
    const byHeader = await proxy.post(entry(), { user: 'ada', headers: { authorization: `Bearer ${token}` } })
    isError(t, byHeader, 401, code, 'where Authorization is there, the cookie is ignored')
    t.equal(byCookie.headers.get('x-session-tag'), null)
  }
  t.same(proxy.logtrail.requests, [])
})

t.test('X-Session-Tag tells users apart, and not who they are', async t => {
  const proxy = await startProxy(t)
  const tagOf = async (user: string) => (await proxy.post(entry(), { user })).headers.get('x-session-tag')
  const ada = await tagOf('ada')
  t.equal(await tagOf('ada'), ada, 'the same for every session of a user')
  t.not(await tagOf('grace'), ada)
  t.match(ada, /^[0-9a-f]{16}$/)
  const other = await startProxy(t, { env: { SESSION_JWT_SECRET: 'another secret that is long enough for it' } })
  const elsewhere = await other.post(entry(), {
    headers: { cookie: `session=${sign({ sub: 'ada' }, 'another secret that is long enough for it')}` }
  })
  t.equal(elsewhere.status, 201)
  t.not(elsewhere.headers.get('x-session-tag'), ada, 'keyed')
  t.equal((await proxy.post('{')).headers.get('x-session-tag'), ada, 'on errors too')
})

t.test(
  'X-Session-Tag is keyed by SESSION_TAG_SECRET, else by a secret of the sessions, else by the API key',
  async t => {
    const app = createServer((_request, response) => void response.setHeader('x-auth-request-user', 'ada').end())
    await once(app.listen(0, '127.0.0.1'), 'listening')
    t.teardown(() => void app.close())
    const tags = 'a secret for tags alone, longer than 32 bytes'
    const key = makeKey()
    const forwardAuth = {
      SESSION_MODE: 'forward-auth',
      SESSION_AUTH_URL: `http://127.0.0.1:${(app.address() as AddressInfo).port}/`,
      SESSION_JWT_SECRET: '',
      LOGTRAIL_API_KEY: `${key},${makeKey()}`
    }
    for (const [env, by] of [
      [{ SESSION_TAG_SECRET: tags }, tags],
      [{}, SECRET],
      [{ ...forwardAuth, SESSION_TAG_SECRET: tags }, tags],
      [{ ...forwardAuth, SESSION_SECRET: 'newest,oldest' }, 'oldest'],
      [forwardAuth, key]
    ] as const) {
      const proxy = await startProxy(t, { env })
      const { headers } = await proxy.post('{', { user: 'ada' })
      t.equal(headers.get('x-session-tag'), createSessionTagger(by)('ada'))
    }
  }
)

t.test('X-Session-Tag in a request: taken only for that user', async t => {
  for (const DELIVERY of ['direct', 'pooled']) {
    const proxy = await startProxy(t, { env: { ANONYMOUS: 'allow', RATE_LIMIT_MAX: '3', DELIVERY } })
    const tag = (await proxy.post(entry(), { user: 'ada' })).headers.get('x-session-tag')!
    const mean = (tag: string, user: string | null, body: unknown = entry()) =>
      proxy.post(body, { user, headers: { 'x-session-tag': tag } })
    t.equal((await mean(tag, 'ada')).status, 201)
    const refused = [await mean(tag, 'grace'), await mean('', 'grace'), await mean(`${tag}, ${tag}`, 'grace')]
    for (const answer of refused) isError(t, answer, 401, 'SESSION_INVALID')
    const hers = (await proxy.post(entry(), { user: 'grace' })).headers.get('x-session-tag')
    t.same(
      refused.map(({ headers }) => headers.get('x-session-tag')),
      [hers, hers, hers],
      'the answer tells whose session it is'
    )
    t.notMatch(refused[0]!.text, tag)
    isError(t, await mean(tag, null), 401, 'SESSION_MISSING', 'nor do they become anonymous')
    isError(t, await mean(tag, 'grace', '{'), 401, 'SESSION_INVALID', 'before the body is read')
    t.equal((await mean(hers!, 'grace')).status, 201)
    t.equal((await mean(hers!, 'grace')).status, 201, "a refusal is not counted by the user's limit")
    t.same(
      proxy.logtrail.entries().map(({ actor }) => (actor as { id: string }).id),
      ['ada', 'ada', 'grace', 'grace', 'grace']
    )
    t.ok(
      proxy.logtrail.requests.every(({ rawHeaders }) => !rawHeaders.join().toLowerCase().includes('x-session-tag')),
      'Logtrail does not see it'
    )
  }
})

t.test('without a session a claimed actor is removed', async t => {
  const proxy = await startProxy(t, { env: { ANONYMOUS: 'allow' } })
  const answer = await proxy.post(entry({ actor: { id: 'ada' } }), { user: null })
  t.equal(answer.status, 201)
  t.equal(answer.headers.get('x-session-tag'), null)
  t.same(proxy.logtrail.entries(), [entry()])
})

t.test('a request of no page, without Authorization, is refused before anybody is asked whose it is', async t => {
  const { post } = await startProxy(t)
  const headers = { 'sec-fetch-site': undefined, cookie: 'session=no-session' }
  isError(t, await post(entry(), { headers }), 403, 'ORIGIN_FORBIDDEN')
})

t.test('a second Authorization is not dropped unseen: two are refused', async t => {
  const { url } = await startProxy(t)
  const body = JSON.stringify(entry())
  const post = (...tokens: string[]) =>
    raw(
      url,
      `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\n${tokens
        .map(token => `Authorization: Bearer ${token}\r\n`)
        .join('')}Content-Length: ${body.length}\r\n\r\n${body}`
    )
  t.same(statuses(await post(sign())), [201])
  t.same(statuses(await post(sign(), sign({ sub: 'eve' }))), [401])
})
