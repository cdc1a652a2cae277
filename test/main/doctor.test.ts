import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { runCommand } from '../../src/commands/command-line.js'
import type { DoctorOptions } from '../../src/commands/doctor.js'
import { makeKey } from '../helper/logtrail/keys.js'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { SECRET } from '../helper/proxy.js'
import { CERTIFICATE, EXPIRED, PRIVATE_KEY } from '../logtrail/certificate.js'
import { runMain } from './child.js'
import { checks, type Env, run, standIn } from './doctor.js'

t.test('all is well: the key is tried without storing anything', async t => {
  const { logtrail, env } = await standIn(t)
  const { status, ok, named, out } = await checks(env)
  t.equal(status, 0)
  t.equal(ok, true)
  t.match(named, {
    key: { status: 'ok', message: /^Logtrail accepts it: development, wo, fingerprint [0-9a-f]{8}$/ },
    tls: { status: 'warning', message: /^plain http to 127\.0\.0\.1/ },
    clock: { status: 'ok' },
    plan: { status: 'ok', message: /entries as large as that are taken/ },
    session: { status: 'ok', message: /^jwt: / },
    'proxy trust': { status: 'warning', message: /^cannot tell: ADMIN_PORT=0/ },
    configuration: { status: 'ok' }
  })
  t.notOk(out.includes(logtrail.key))
  t.notOk(out.includes(SECRET))
  t.same(
    logtrail.requests.map(({ method, url }) => `${method} ${url.slice(-14)}`),
    ['POST /logs/validate', 'POST /logs/validate']
  )
  t.equal(logtrail.usedThisMonth, 0, 'no quota is spent')
})

t.test('what Logtrail may say of the key', async t => {
  const { logtrail, env } = await standIn(t)
  const key = async (more: Env = {}) => {
    const { status, named } = await checks({ ...env, ...more })
    return { exit: status, ...named.key }
  }
  t.match(await key({ LOGTRAIL_API_KEY: makeKey() }), {
    exit: 1,
    status: 'failed',
    message: /refuses the key \(AUTH_INVALID_API_KEY\)/,
    change: /LOGTRAIL_API_KEY/
  })
  logtrail.faults.always({ kind: 'status', status: 403 })
  t.match(await key(), { exit: 1, status: 'failed', message: /may not send/, change: /write-only/ })
  logtrail.faults.always({ kind: 'status', status: 403, body: 'html' })
  t.match(await key(), { exit: 1, status: 'failed', message: /403 with a web page/, change: /LOGTRAIL_URL/ })
  for (const kind of ['not-found', 'portal', 'redirect'] as const) {
    logtrail.faults.always({ kind })
    t.match(
      await key(),
      { exit: 1, status: 'failed', message: /that is not Logtrail's API/, change: /LOGTRAIL_URL/ },
      kind
    )
  }
  logtrail.faults.always({ kind: 'status', status: 418, body: 'empty' })
  t.match(await key(), { status: 'failed', message: /418 without a word of Logtrail/ })
  logtrail.faults.always({ kind: 'status', status: 400 })
  t.match(await key(), { status: 'failed', message: /400 \(VALIDATION_FAILED\)/ })
  logtrail.faults.always({ kind: 'status', status: 503, body: 'html' })
  t.match(await key(), { exit: 1, status: 'failed', message: /it answered 503/ })
  logtrail.faults.always({ kind: 'status', status: 429, retryAfter: 7 })
  t.match(await key(), { exit: 0, status: 'warning', message: /no more dry runs/, change: 'Run doctor again in 7 s.' })
  logtrail.faults.always({ kind: 'status', status: 429 })
  t.match(await key(), { status: 'warning', change: 'Run doctor again later.' })
  logtrail.faults.clear()
  t.match(await key({ LOGTRAIL_URL: `${logtrail.origin}/elsewhere` }), { exit: 1, status: 'failed' })
  const next = makeKey()
  logtrail.addKey(next)
  const { named } = await checks({ ...env, LOGTRAIL_API_KEY: `${makeKey()},${next}` })
  t.match(named, { key: { status: 'failed' }, 'key (next)': { status: 'ok' }, plan: { status: 'ok' } })
})

t.test('a plain entry that is refused, and one as large as the plan is said to allow', async t => {
  let answer: object = {}
  const server = createServer((request, response) => {
    request.resume()
    response.sendDate = false
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer))
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const env = { LOGTRAIL_URL: `http://127.0.0.1:${port}`, LOGTRAIL_API_KEY: makeKey() }
  answer = { valid: false, errors: [{ field: 'action', message: 'not\u001b[31m this one', log_index: 0 }] }
  const { status, named } = await checks(env)
  t.equal(status, 0)
  t.match(named, {
    key: { status: 'warning', message: /but not a plain entry: action: not/ },
    clock: { status: 'warning', message: /^cannot tell/ }
  })
  answer = { valid: false }
  t.match((await checks(env)).named.key!.message, /it does not say why/)
  answer = { valid: true, more: 'x'.repeat(70_000) }
  t.match((await checks(env)).named.key, { status: 'failed' }, 'an endless answer is not read to its end')
  answer = { hello: 'world' }
  t.match((await checks(env)).named, {
    key: { status: 'failed' },
    plan: { status: 'warning', message: /^cannot tell/ }
  })
})

t.test('the plan against what Logtrail shows', async t => {
  const { logtrail, env } = await standIn(t, { plan: 'free' })
  const { named } = await checks(env)
  t.match(named.plan, {
    status: 'warning',
    message: /Logtrail would refuse an entry as large/,
    change: /LOGTRAIL_PLAN/
  })
  t.match((await checks({ ...env, LOGTRAIL_PLAN: 'free' })).named.plan, { status: 'ok' })
  logtrail.switches.limits = { ...logtrail.switches.limits, maxLogBytes: 5000, maxDepth: 9, maxTags: 99 }
  let broken = false
  const server = createServer(async (request, response) => {
    let bytes = 0
    for await (const chunk of request) bytes += chunk.length
    response
      .writeHead(broken && bytes > 500 ? 500 : 200, { 'content-type': 'application/json', 'x-ratelimit-limit': '120' })
      .end('{"valid":true,"warnings":[],"errors":[]}')
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const elsewhere = { ...env, LOGTRAIL_URL: `http://127.0.0.1:${port}` }
  t.match((await checks(elsewhere)).named.plan, {
    status: 'warning',
    message: /allows 120 requests a minute, LOGTRAIL_REQUESTS_PER_MINUTE is 1000: requests over it are refused/,
    change: /LOGTRAIL_REQUESTS_PER_MINUTE to 120/
  })
  t.match((await checks({ ...elsewhere, LOGTRAIL_REQUESTS_PER_MINUTE: '60' })).named.plan, {
    status: 'warning',
    message: /the rest of it is not used/
  })
  t.match((await checks({ ...elsewhere, LOGTRAIL_PLAN: 'free' })).named.plan, {
    status: 'ok',
    message: /120 requests a minute, entries as large as that are taken$/
  })
  broken = true
  t.match((await checks({ ...elsewhere, LOGTRAIL_PLAN: 'free' })).named.plan, {
    status: 'ok',
    message: /120 requests a minute$/
  })
})

t.test('TLS: verified, near its end, not accepted', async t => {
  const { logtrail, env } = await standIn(t, { tls: { key: PRIVATE_KEY, cert: CERTIFICATE } })
  const url = logtrail.url.replace('127.0.0.1', 'localhost')
  const tls = async (LOGTRAIL_URL: string, options: DoctorOptions = {}) => {
    const { status, named } = await checks({ ...env, LOGTRAIL_URL }, options)
    return { exit: status, ...named }
  }
  t.match(await tls(url, { ca: CERTIFICATE }), {
    exit: 0,
    key: { status: 'ok' },
    tls: { status: 'ok', message: /is verified, and good until 2126-10-30/ }
  })
  t.match(await tls(url, { ca: CERTIFICATE, now: () => Date.UTC(2126, 9, 25) }), {
    exit: 1,
    tls: { status: 'warning', message: /ends in 5 days, on 2126-10-30/ },
    clock: { status: 'failed', message: /s ahead of Logtrail's/, change: /NTP/ }
  })
  t.match(await tls(url), {
    exit: 1,
    key: { status: 'failed', change: 'See tls.' },
    tls: { status: 'failed', message: /DEPTH_ZERO_SELF_SIGNED_CERT/, change: /NODE_EXTRA_CA_CERTS/ },
    clock: { status: 'warning' },
    plan: { status: 'warning', message: /^cannot tell/ }
  })
  const old = await standIn(t, { tls: { key: PRIVATE_KEY, cert: EXPIRED } })
  t.match(await tls(old.logtrail.url.replace('127.0.0.1', 'localhost'), { ca: EXPIRED }), {
    tls: { status: 'failed', message: /CERT_HAS_EXPIRED/, change: /this machine's clock/ }
  })
  t.match(await tls(logtrail.url, { ca: CERTIFICATE }), {
    tls: { status: 'failed', message: /ALTNAME/, change: /the name that the certificate is for/ }
  })
  const plain = await startLogtrail()
  t.teardown(() => plain.close())
  t.match(await tls(plain.url.replace('http:', 'https:')), {
    tls: { status: 'failed', change: /a port that speaks TLS/ }
  })
  await plain.down()
  t.match(await tls(plain.url.replace('http:', 'https:')), {
    key: { status: 'failed', message: /ECONNREFUSED/, change: /firewall/ },
    tls: { status: 'warning', message: /^cannot tell/ }
  })
})

t.test('clocks that differ', async t => {
  const { env } = await standIn(t)
  const clock = async (ms: number) => (await checks(env, { now: () => Date.now() + ms })).named.clock
  t.match(await clock(0), { status: 'ok' })
  t.match(await clock(-20_000), { status: 'warning', message: /^(19|20|21) s behind Logtrail's$/, change: /NTP/ })
  t.match(await clock(20_000), { status: 'warning', message: /^(19|20|21) s ahead of Logtrail's$/ })
  t.match(await clock(90_000), { status: 'failed' })
})

t.test('a Logtrail that says nothing', async t => {
  const { logtrail, env } = await standIn(t)
  logtrail.faults.always({ kind: 'hang' })
  const { status, named } = await checks(env, { timeoutMs: 200 })
  t.equal(status, 1)
  t.match(named, { key: { status: 'failed', message: /it took too long/ } })
})

t.test('a session source that is down, and warnings of the configuration', async t => {
  const { env } = await standIn(t)
  const { status, named } = await checks({
    ...env,
    SESSION_MODE: 'forward-auth',
    SESSION_AUTH_URL: 'http://127.0.0.1:9/session',
    RATE_LIMT_MAX: '3'
  })
  t.equal(status, 1)
  t.match(named, {
    session: { status: 'failed', message: /^forward-auth: /, change: /SESSION_AUTH_URL/ },
    configuration: { status: 'warning', message: /./ }
  })
})

t.test('something else on the admin port is not believed', async t => {
  const { env } = await standIn(t)
  const bodies = ['{"status":"ok"}', 'hello', `"${'x'.repeat(2 ** 20 + 1)}"`]
  const server = createServer((_request, response) => response.end(bodies.shift())).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  while (bodies.length > 0) {
    const { named } = await checks({ ...env, ADMIN_PORT: String(port) })
    t.match(named['proxy trust'], { status: 'warning', message: /no running proxy answers/ })
  }
})

t.test('for people: a line each, with what to change', async t => {
  const { env } = await standIn(t)
  const { status, out } = await run(env, {}, { json: false })
  t.equal(status, 0)
  t.match(out, /^ok {7}key {10,}Logtrail accepts it/m)
  t.match(out, /^warning {2}tls .*\n +-> Use https/m)
  t.match(out, /\d ok, \d warnings, 0 failed\.\n$/)
  const refused = await run({ ...env, LOGTRAIL_API_KEY: makeKey() }, { timeoutMs: undefined }, { json: false })
  t.equal(refused.status, 1)
  t.match(refused.out, /^failed {3}key .*\n +-> .*LOGTRAIL_API_KEY/m)
})

t.test('as a process: exit statuses', async t => {
  const { logtrail, env } = await standIn(t)
  const cwd = t.testdir({ 'entry.json': JSON.stringify({ level: 'info' }) })
  const all = {
    ...env,
    LOGTRAIL_PLAN: 'professional',
    SESSION_MODE: 'jwt',
    SESSION_JWT_SECRET: SECRET,
    ADMIN_PORT: '0',
    NODE_ENV: 'test'
  }
  const [well, refused, wrong, entryRefused] = await Promise.all([
    runMain(['doctor', '--json'], all, cwd),
    runMain(['doctor'], { ...all, LOGTRAIL_API_KEY: makeKey() }, cwd),
    runMain(['doctor'], { ...all, LOGTRAIL_PLAN: 'gold' }, cwd),
    runMain(['doctor', '--entry', 'entry.json'], all, cwd)
  ])
  t.match(well, { status: 0, err: '' })
  t.equal(JSON.parse(well.out).ok, true)
  t.match(refused, { status: 1, out: /^failed {3}key /m })
  t.match(wrong, { status: 78, out: '', err: /LOGTRAIL_PLAN/ })
  t.match(entryRefused, { status: 1, out: /entry: refused/ })
  t.notOk([well, refused, wrong].some(({ out, err }) => `${out}${err}`.includes(logtrail.key)))
})

t.test('usage', async t => {
  const io = { env: {}, cwd: '/nowhere', out() {}, err() {} }
  t.equal(await runCommand(['doctor', '--nope'], io), 64)
  t.equal(await runCommand(['doctor'], io), 78)
})
