import t from 'tap'
import { ConfigError } from '../../src/config.js'
import { makeKey, startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry, startProxy } from '../helper/proxy.js'
import { CERTIFICATE, PRIVATE_KEY } from '../logtrail/certificate.js'

const OFF = { RATE_LIMIT_IP_MAX: '0', RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0' }

/** What an answer may carry, besides what HTTP itself needs. */
const ALLOWED = [
  'cache-control',
  'connection',
  'content-length',
  'content-type',
  'date',
  'keep-alive',
  'retry-after',
  'transfer-encoding',
  'x-content-type-options',
  'x-ratelimit-limit',
  'x-ratelimit-remaining',
  'x-ratelimit-reset',
  'x-request-id',
  'x-session-tag'
]

t.test('of an upstream that echoes the key and sets cookies nothing gets through', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const { key } = proxy.logtrail
  for (const [path, body] of [
    ['/logtrail/logs', entry()],
    ['/logtrail/logs/bulk', [entry()]]
  ] as const) {
    proxy.logtrail.faults.push({ kind: 'echo-key' })
    const answer = await proxy.post(body, { path })
    t.match(answer, { status: 201, text: '' }, 'but that it took the entries')
    const whole = `${[...answer.headers].join('\n')}\n${answer.text}`
    t.notOk(whole.includes(key) || whole.includes(key.slice(-12)))
    t.equal(answer.headers.get('set-cookie'), null)
  }
})

t.test('of the headers of an upstream none gets through but those of the list', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const answers = [await proxy.post(entry())]
  for (const status of [200, 400, 401, 403, 404, 422, 429, 500, 503]) {
    proxy.logtrail.faults.push({ kind: 'status', status, retryAfter: 1 })
    answers.push(await proxy.post(entry(), { user: String(status) }))
    if (status === 429) {
      while (answers.at(-1)!.status === 429) answers.push(await proxy.post(entry()))
    }
  }
  proxy.logtrail.faults.push({ kind: 'redirect', location: 'https://evil.example/' })
  answers.push(await proxy.post(entry()))
  for (const { headers, status } of answers) {
    for (const [name] of headers) t.ok(ALLOWED.includes(name), `${status}: ${name}`)
  }
})

t.test('redirects are not followed, wherever they lead', async t => {
  const other = await startLogtrail()
  t.teardown(() => other.close())
  const proxy = await startProxy(t, { env: OFF })
  for (const status of [301, 302, 303, 307, 308]) {
    for (const location of [
      `${other.url}/logs`,
      `${proxy.logtrail.url}/logs`,
      '/api/v1/workspace/logs',
      '//evil.example/',
      'x'
    ]) {
      const before = proxy.logtrail.requests.length
      proxy.logtrail.faults.push({ kind: 'redirect', status, location })
      const answer = await proxy.post(entry())
      t.match(answer, { status: 502, body: { error_code: 'UPSTREAM_ERROR' } }, `${status} ${location}`)
      t.equal(answer.headers.get('location'), null)
      t.equal(proxy.logtrail.requests.length, before + 1)
    }
  }
  t.same(other.requests, [], 'the key went nowhere else')
  t.equal(other.stats.connections, 0)
})

const TLS = { key: PRIVATE_KEY, cert: CERTIFICATE }

t.test('a self-signed upstream is refused, before the key is sent', async t => {
  const proxy = await startProxy(t, { logtrail: { tls: TLS } })
  const byName = await startProxy(t, {
    env: { LOGTRAIL_URL: proxy.logtrail.url.replace('127.0.0.1', 'localhost'), LOGTRAIL_API_KEY: proxy.logtrail.key }
  })
  for (const program of [proxy, byName]) {
    const answer = await program.post(entry())
    t.match(answer, { status: 502, body: { error_code: 'UPSTREAM_UNREACHABLE' } })
    t.notMatch(answer.text, /certificate|self|signed/i)
  }
  t.same(proxy.logtrail.requests, [])
  t.match(proxy.lines.join(''), /DEPTH_ZERO_SELF_SIGNED_CERT/, 'the log says why')
})

t.test('NODE_TLS_REJECT_UNAUTHORIZED changes nothing', async t => {
  const warnings = process.listeners('warning')
  process.removeAllListeners('warning')
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
    for (const listener of warnings) process.on('warning', listener)
  })
  const proxy = await startProxy(t, { logtrail: { tls: TLS } })
  t.equal((await proxy.post(entry())).status, 502)
  t.same(proxy.logtrail.requests, [])
})

t.test('a trusted authority, and a certificate for another name', async t => {
  const proxy = await startProxy(t, { logtrail: { tls: TLS }, ca: CERTIFICATE })
  t.equal((await proxy.post(entry())).status, 502, 'the certificate is for localhost, not for 127.0.0.1')
  t.same(proxy.logtrail.requests, [])
  const right = await startProxy(t, {
    env: { LOGTRAIL_URL: proxy.logtrail.url.replace('127.0.0.1', 'localhost'), LOGTRAIL_API_KEY: proxy.logtrail.key },
    ca: CERTIFICATE
  })
  t.equal((await right.post(entry())).status, 201)
})

t.test('plain http leaves for loopback alone, and for hosts that are named', async t => {
  const start = (env: Record<string, string>) => startProxy(t, { env: { ...env, ADMIN_PORT: '0' } })
  for (const host of [
    'api.logtrail.net',
    '10.0.0.1',
    '192.168.1.1',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '[2001:db8::1]'
  ]) {
    await t.rejects(start({ LOGTRAIL_URL: `http://${host}/api/v1/workspace` }), ConfigError, host)
    await t.rejects(start({ LOGTRAIL_URL: `http://${host}/x`, ALLOW_HTTP_HOSTS: 'other.example' }), ConfigError, host)
  }
  const allowed: Record<string, string>[] = [
    { LOGTRAIL_URL: 'http://localhost:1/x' },
    { LOGTRAIL_URL: 'http://[::1]:1/x' },
    { LOGTRAIL_URL: 'http://logtrail.inside:1/x', ALLOW_HTTP_HOSTS: 'logtrail.inside' }
  ]
  for (const env of allowed) {
    const program = await start(env)
    await program.server.close()
  }
  for (const url of [
    'ftp://127.0.0.1/',
    'file:///etc/passwd',
    'https://user:pass@api.logtrail.net/',
    'https://a/?x=1'
  ]) {
    await t.rejects(start({ LOGTRAIL_URL: url }), ConfigError, url)
  }
  const error = await start({
    LOGTRAIL_API_KEY: `${makeKey('production', 'ro')}`,
    LOGTRAIL_URL: 'http://evil.example'
  }).catch(given => given as Error)
  t.notMatch((error as Error).message, /lt_production_ro_/)
})
