import t from 'tap'
import { createOriginCheck, type OriginVerdict } from '../../src/guard/origin.js'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

const LISTED = 'https://app.example'

interface Case {
  why: string
  site?: string
  origin?: string
  host?: string
  verdict: OriginVerdict
}

const CASES: Case[] = [
  // Fetch Metadata says same-origin: whatever Origin says
  { why: 'same-origin', site: 'same-origin', verdict: 'allowed' },
  { why: 'same-origin and any Origin', site: 'same-origin', origin: 'https://evil.example', verdict: 'allowed' },
  { why: 'same-origin and a null Origin', site: 'same-origin', origin: 'null', verdict: 'allowed' },
  // any other value of Sec-Fetch-Site: only the list lets in
  { why: 'cross-site of the list', site: 'cross-site', origin: LISTED, verdict: 'allowed' },
  { why: 'same-site of the list', site: 'same-site', origin: LISTED, verdict: 'allowed' },
  { why: 'cross-site', site: 'cross-site', origin: 'https://evil.example', verdict: 'forbidden' },
  { why: 'cross-site without Origin', site: 'cross-site', verdict: 'forbidden' },
  { why: 'same-site, another subdomain', site: 'same-site', origin: 'https://blog.own.example', verdict: 'forbidden' },
  { why: 'same-site, and the own host', site: 'same-site', origin: 'https://own.example', verdict: 'forbidden' },
  { why: 'cross-site, and the own host', site: 'cross-site', origin: 'https://own.example', verdict: 'forbidden' },
  { why: 'none: typed by the user', site: 'none', verdict: 'forbidden' },
  { why: 'none and an Origin', site: 'none', origin: 'https://own.example', verdict: 'forbidden' },
  { why: 'a value that there is not', site: 'Same-Origin', verdict: 'forbidden' },
  { why: 'an empty one', site: '', verdict: 'forbidden' },
  { why: 'two in one', site: 'same-origin, cross-site', verdict: 'forbidden' },
  // the list is exact
  { why: 'the list without Sec-Fetch-Site', origin: LISTED, verdict: 'allowed' },
  { why: 'the list by http', origin: 'http://app.example', verdict: 'forbidden' },
  { why: 'the list and a port', origin: `${LISTED}:8443`, verdict: 'forbidden' },
  { why: 'the list and its default port', origin: `${LISTED}:443`, verdict: 'forbidden' },
  { why: 'the list in capitals', origin: 'https://APP.example', verdict: 'forbidden' },
  { why: 'the list and a slash', origin: `${LISTED}/`, verdict: 'forbidden' },
  { why: 'the list and a dot', origin: `${LISTED}.`, verdict: 'forbidden' },
  { why: 'the list as a prefix', origin: `${LISTED}.evil.example`, verdict: 'forbidden' },
  { why: 'the list as a suffix', origin: 'https://evilapp.example', verdict: 'forbidden' },
  { why: 'a subdomain of the list', origin: 'https://x.app.example', verdict: 'forbidden' },
  { why: 'two origins, one of the list', origin: `${LISTED} https://evil.example`, verdict: 'forbidden' },
  { why: 'two Origin fields', origin: `${LISTED}, ${LISTED}`, verdict: 'forbidden' },
  // no Sec-Fetch-Site: the Origin's host and port are those of Host
  { why: 'the own host', origin: 'https://own.example', verdict: 'allowed' },
  { why: 'the own host by http', origin: 'http://own.example', verdict: 'allowed' },
  { why: 'a port on both', origin: 'http://own.example:8080', host: 'own.example:8080', verdict: 'allowed' },
  { why: 'another port', origin: 'http://own.example:8080', host: 'own.example:8081', verdict: 'forbidden' },
  { why: 'a port on one', origin: 'http://own.example:8080', verdict: 'forbidden' },
  { why: 'the default port written out', origin: 'https://own.example', host: 'own.example:443', verdict: 'allowed' },
  { why: "the other scheme's default", origin: 'https://own.example', host: 'own.example:80', verdict: 'forbidden' },
  { why: 'capitals in Host', origin: 'https://own.example', host: 'OWN.Example', verdict: 'allowed' },
  { why: 'capitals in Origin', origin: 'https://OWN.example', verdict: 'forbidden' },
  { why: 'a dot on one', origin: 'https://own.example.', verdict: 'forbidden' },
  { why: 'a dot on both', origin: 'https://own.example.', host: 'own.example.', verdict: 'allowed' },
  { why: 'IPv4', origin: 'http://127.0.0.1:8790', host: '127.0.0.1:8790', verdict: 'allowed' },
  { why: 'IPv6', origin: 'http://[::1]:8790', host: '[::1]:8790', verdict: 'allowed' },
  { why: 'IPv6 in another spelling', origin: 'http://[::1]', host: '[0:0:0:0:0:0:0:1]', verdict: 'allowed' },
  { why: 'another IPv6', origin: 'http://[::2]', host: '[::1]', verdict: 'forbidden' },
  {
    why: 'a name beyond ASCII',
    origin: 'https://xn--bcher-kva.example',
    host: 'xn--bcher-kva.example',
    verdict: 'allowed'
  },
  { why: 'null', origin: 'null', verdict: 'forbidden' },
  { why: 'null, and a host of that name', origin: 'null', host: 'null', verdict: 'forbidden' },
  { why: 'empty', origin: '', verdict: 'forbidden' },
  { why: 'userinfo in Origin', origin: 'https://own.example@evil.example', verdict: 'forbidden' },
  { why: 'userinfo before the own host', origin: 'https://evil.example@own.example', verdict: 'forbidden' },
  { why: 'userinfo in Host', origin: 'https://evil.example', host: 'own.example@evil.example', verdict: 'forbidden' },
  { why: 'a path in Origin', origin: 'https://own.example/x', verdict: 'forbidden' },
  { why: 'a slash in Host', origin: 'https://own.example', host: 'own.example/', verdict: 'forbidden' },
  { why: 'a query in Host', origin: 'https://own.example', host: 'own.example?x', verdict: 'forbidden' },
  { why: 'a fragment in Host', origin: 'https://own.example', host: 'own.example#', verdict: 'forbidden' },
  { why: 'a backslash in Host', origin: 'https://own.example', host: 'own.example\\x', verdict: 'forbidden' },
  { why: 'no Host worth the name', origin: 'https://own.example', host: '', verdict: 'forbidden' },
  { why: 'a port that is none', origin: 'http://own.example', host: 'own.example:99999', verdict: 'forbidden' },
  { why: 'an extension', origin: 'chrome-extension://own.example', verdict: 'forbidden' },
  { why: 'a file', origin: 'file://', verdict: 'forbidden' },
  { why: 'a scheme alone', origin: 'https://', verdict: 'forbidden' },
  { why: 'two origins, the own first', origin: 'https://own.example https://evil.example', verdict: 'forbidden' },
  { why: 'two origins, the own twice', origin: 'https://own.example, https://own.example', verdict: 'forbidden' },
  // neither
  { why: 'neither header', verdict: 'authorization' }
]

t.test('who may send, by Sec-Fetch-Site and Origin', async t => {
  const check = createOriginCheck(new Set([LISTED]))
  t.ok(CASES.length >= 20)
  for (const { why, site, origin, host = 'own.example', verdict } of CASES) {
    const headers = {
      ...(site === undefined ? {} : { 'sec-fetch-site': site }),
      ...(origin === undefined ? {} : { origin })
    }
    t.equal(check(headers, host), verdict, why)
  }
})

t.test('refused pages reach nothing, whatever session they have', async t => {
  const proxy = await startProxy(t, { env: { ALLOWED_ORIGINS: LISTED } })
  for (const headers of [
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': 'same-site', origin: 'https://evil.example' },
    { 'sec-fetch-site': undefined, origin: 'https://evil.example' },
    { 'sec-fetch-site': undefined, origin: 'null' },
    { 'sec-fetch-site': 'none' },
    { 'sec-fetch-site': 'cross-site', authorization: `Bearer ${sign()}` },
    { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example', authorization: `Bearer ${sign()}` }
  ]) {
    const answer = await proxy.post(entry(), { headers })
    t.match(answer, { status: 403, body: { error_code: 'ORIGIN_FORBIDDEN' } }, JSON.stringify(headers))
    t.equal(answer.headers.get('access-control-allow-origin'), null)
    t.equal(answer.headers.get('x-session-tag'), null, 'and they are told nothing of the session')
  }
  t.same(proxy.logtrail.requests, [])
})

t.test('neither header: only a session by Authorization', async t => {
  const proxy = await startProxy(t, { env: { ANONYMOUS: 'allow' } })
  const neither = { 'sec-fetch-site': undefined }
  const bearer = `Bearer ${sign({ sub: 'grace' })}`
  t.equal((await proxy.post(entry(), { user: null, headers: { ...neither, authorization: bearer } })).status, 201)
  t.equal((await proxy.post(entry(), { user: 'ada', headers: { ...neither, authorization: bearer } })).status, 201)
  t.same(
    proxy.logtrail.entries().map(({ actor }) => actor),
    [{ id: 'grace' }, { id: 'grace' }],
    'the cookie is ignored'
  )
  const refused = [
    ['a cookie', { user: 'ada', headers: neither }],
    ['nothing, although anonymous is allowed', { user: null, headers: neither }],
    ['another scheme beside a cookie', { user: 'ada', headers: { ...neither, authorization: 'Basic YTpi' } }],
    ['another scheme', { user: null, headers: { ...neither, authorization: 'Basic YTpi' } }],
    ['an empty one beside a cookie', { user: 'ada', headers: { ...neither, authorization: '' } }]
  ] as const
  for (const [why, how] of refused) {
    t.match(await proxy.post(entry(), how), { status: 403, body: { error_code: 'ORIGIN_FORBIDDEN' } }, why)
  }
  t.match(await proxy.post(entry(), { headers: { ...neither, authorization: 'Bearer x' } }), { status: 401 })
  t.match(await proxy.post(entry(), { headers: { ...neither, authorization: 'Bearer' } }), { status: 401 })
  t.equal(proxy.logtrail.requests.length, 2)
})

t.test('a mode that reads no Authorization lets nobody in by it', async t => {
  const proxy = await startProxy(t, {
    env: { SESSION_MODE: 'none', SESSION_JWT_SECRET: '', ANONYMOUS: 'allow' }
  })
  const answer = await proxy.post(entry(), {
    headers: { 'sec-fetch-site': undefined, authorization: `Bearer ${sign()}` }
  })
  t.match(answer, { status: 403, body: { error_code: 'ORIGIN_FORBIDDEN' } })
  t.equal((await proxy.post(entry())).status, 201)
  t.same(proxy.logtrail.entries(), [entry()], 'a cookie says nothing there')
})

function plainHttp(headers: Record<string, string>): string {
  const body = JSON.stringify(entry())
  const all = {
    'Content-Type': 'application/json',
    'Content-Length': String(body.length),
    Cookie: `session=${sign()}`,
    Connection: 'close',
    ...headers
  }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  return ['POST /logtrail/logs HTTP/1.1', ...lines, '', body].join('\r\n')
}

t.test('X-Forwarded-Host counts from a trusted proxy alone', async t => {
  const trusting = await startProxy(t, { env: { TRUST_PROXY: 'loopback' } })
  const plain = await startProxy(t)
  const other = await startProxy(t, { env: { TRUST_PROXY: '10.0.0.1' } })
  const page = { Host: 'inside:8790', Origin: 'https://shop.example', 'X-Forwarded-Host': 'shop.example' }
  const inside = { Host: 'inside:8790', Origin: 'http://inside:8790', 'X-Forwarded-Host': 'shop.example' }
  const ask = async (url: string, headers: Record<string, string>) => statuses(await raw(url, plainHttp(headers)))[0]
  t.equal(await ask(trusting.url, page), 201)
  t.equal(await ask(trusting.url, inside), 403, "the browser's host is what the proxy says, not Host")
  t.equal(
    await ask(trusting.url, { ...page, 'X-Forwarded-Host': 'evil.example, shop.example' }),
    201,
    'the last is the nearest'
  )
  t.equal(await ask(trusting.url, { ...page, 'X-Forwarded-Host': 'shop.example, evil.example' }), 403)
  t.equal(await ask(trusting.url, { ...page, 'X-Forwarded-Host': 'shop.example@evil.example' }), 403)
  for (const proxy of [plain, other]) {
    t.equal(await ask(proxy.url, page), 403)
    t.equal(await ask(proxy.url, inside), 201)
    t.equal(await ask(proxy.url, { ...page, 'X-Forwarded-For': '10.0.0.1' }), 403)
  }
})
