/**
 * Redis as a service gives it: TLS, a user with a password and few rights, the address as a secret in a file. The certificate is
 * verified wherever Redis is met, whatever the environment says; and the password is never said.
 */
import { createHmac } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { openRedisDeadLetters } from '../../src/outbox/redis/open-dead-letters.js'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry, SECRET, startProxy } from '../helper/proxy.js'
import { startRedis } from '../helper/redis.js'
import { CERTIFICATE, PRIVATE_KEY } from '../logtrail/certificate.js'
import { runMain } from '../main/child.js'
import { startProgram, until } from '../oracle/program.js'

const SIGNING = 'the-secret-that-signs-cookies-of-an-app'
const PASSWORD = 'a-p4ssw0rd/of:a%test'
const README = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')
/** What README says that a user in Redis needs. */
const RIGHTS = /^~\{logtrail-bff:queue\}.*$/m.exec(README)![0].split(' ')
const SESSION_RIGHTS = /`(~sess:\*.*?)`/.exec(README)![1]!.split(' ')

const redis = await startRedis({ appendonly: 'yes', appendfsync: 'always' }, { key: PRIVATE_KEY, cert: CERTIFICATE })
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.teardown(() => redis.stop())
  const client = new Redis(redis.url, { tls: { ca: CERTIFICATE } })
  t.teardown(() => client.disconnect())
  await client.call('ACL', 'SETUSER', 'bff', 'on', `>${PASSWORD}`, 'resetchannels', ...RIGHTS)
  const address = redis.url.replace('//', `//bff:${encodeURIComponent(PASSWORD)}@`)

  /** What a deployment would give it: the address in a file, the authority by Node's own variable. */
  async function house(t: Test) {
    const cwd = t.testdir({ 'redis-url': `${address}\n`, 'ca.pem': CERTIFICATE })
    const logtrail = await startLogtrail({
      refuse: one => (one.action === 'bad' ? { field: 'action', message: 'bad' } : undefined)
    })
    t.teardown(() => logtrail.close())
    const env = {
      REDIS_URL_FILE: join(cwd, 'redis-url'),
      NODE_EXTRA_CA_CERTS: join(cwd, 'ca.pem'),
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_API_KEY: logtrail.key,
      LOGTRAIL_PLAN: 'professional',
      DELIVERY: 'queued',
      QUEUE_STORE: 'redis',
      BATCH_MAX_WAIT: '10ms',
      LOG_LEVEL: 'trace'
    }
    return { cwd, logtrail, env }
  }

  const silent = (t: Test, said: string[]) => {
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)])
      t.notOk(said.join('').includes(secret), 'the password is not said')
  }

  t.test('queue and limits, from entry to dead letter', async t => {
    await client.flushall()
    const { cwd, logtrail, env } = await house(t)
    const program = await startProgram({ ...env, RATE_LIMIT_MAX: '1000' }, cwd)
    t.teardown(() => program.kill())
    t.equal((await program.post('ada', [entry(), entry({ action: 'bad' })]))?.status, 202)
    await logtrail.waitFor(({ ids, requests }) => requests.length > 0 || ids.size > 0, 20_000)
    await until(async () => (await client.xlen('{logtrail-bff:queue}:dead')) === 1)
    t.equal((await client.keys('logtrail-bff:limit:requests:*')).length, 1, 'limits are counted there')
    const pages = await Promise.all(['/readyz', '/status', '/metrics', '/'].map(path => program.get(path)))
    const list = await runMain(['dead-letters', 'list'], env, cwd)
    t.match(list, { status: 0, out: /VALIDATION_FAILED/ })
    await program.kill('SIGTERM')
    silent(t, [program.child.out(), program.child.err(), list.out, list.err, ...pages.map(({ text }) => text)])
  })

  t.test('sessions', async t => {
    const { cwd, env } = await house(t)
    await client.call('ACL', 'SETUSER', 'reader', 'on', `>${PASSWORD}`, 'resetchannels', ...SESSION_RIGHTS)
    writeFileSync(join(cwd, 'sessions'), address.replace('bff:', 'reader:'))
    await client.set('sess:one', JSON.stringify({ cookie: {}, user: { id: 'ada' } }))
    const program = await startProgram(
      {
        ...env,
        SESSION_MODE: 'redis',
        SESSION_JWT_SECRET: '',
        SESSION_SECRET: SIGNING,
        SESSION_USER_CLAIM: 'user.id',
        REDIS_URL_FILE: '',
        SESSION_REDIS_URL_FILE: join(cwd, 'sessions'),
        QUEUE_STORE: 'disk'
      },
      cwd
    )
    t.teardown(() => program.kill())
    const signature = createHmac('sha256', SIGNING).update('one').digest('base64').replace(/=+$/, '')
    const answer = await fetch(`${program.url}/logtrail/logs`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'sec-fetch-site': 'same-origin',
        cookie: `session=${encodeURIComponent(`one.${signature}`)}`
      },
      body: JSON.stringify(entry())
    })
    t.equal(answer.status, 202)
    t.ok(answer.headers.get('x-session-tag'))
    await program.kill('SIGTERM')
    silent(t, [program.child.out(), program.child.err()])
  })

  t.test('a certificate that nobody vouches for, or of another name, is refused everywhere', async t => {
    const { cwd, env } = await house(t)
    const other = address.replace('localhost', '127.0.0.1')
    writeFileSync(join(cwd, 'other'), other)
    const cases = [
      [{ NODE_EXTRA_CA_CERTS: '' }, /self-signed/],
      [{ NODE_EXTRA_CA_CERTS: '', NODE_TLS_REJECT_UNAUTHORIZED: '0' }, /self-signed/],
      [{ REDIS_URL_FILE: join(cwd, 'other') }, /IP: 127\.0\.0\.1 is not in the cert's list/]
    ] as const
    const refused = async ([more, why]: (typeof cases)[number]) => {
      const wrong = { ...env, SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SECRET, ...more }
      const [doctor, list] = await Promise.all([
        runMain(['doctor', '--json'], wrong, cwd),
        runMain(['dead-letters', 'list'], wrong, cwd)
      ])
      t.equal(doctor.status, 1)
      const { checks } = JSON.parse(doctor.out)
      const found = checks.find(({ name }: { name: string }) => name === 'redis')
      t.match(found, { status: 'failed', message: why, change: /NODE_EXTRA_CA_CERTS/ })
      t.match(list, {
        status: 1,
        err: /Redis cannot be used \((DEPTH_ZERO_SELF_SIGNED_CERT|ERR_TLS_CERT_ALTNAME_INVALID)\)/
      })
      silent(t, [doctor.out, doctor.err, list.out, list.err])
    }
    await Promise.all(cases.map(refused))

    await t.rejects(openRedisDeadLetters(address), {
      message: 'Redis cannot be used (DEPTH_ZERO_SELF_SIGNED_CERT): see REDIS_URL'
    })
    const program = await startProxy(t, { env: { REDIS_URL: address, DELIVERY: 'queued', QUEUE_STORE: 'redis' } })
    t.equal((await program.get('/readyz')).status, 503)
    t.match(await program.post(entry()), { status: 503, body: { error_code: 'QUEUE_FULL' } })
    t.match(program.lines.join(''), /"code":"DEPTH_ZERO_SELF_SIGNED_CERT".*Redis is away/)
    silent(t, program.lines)
  })

  t.test('a wrong password, and a user without rights', async t => {
    const { cwd, env } = await house(t)
    const base = { ...env, SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SECRET, REDIS_URL_FILE: '' }
    const wrong = address.replace(encodeURIComponent(PASSWORD), 'n0t-this-one')
    const doctor = await runMain(['doctor', '--json'], { ...base, REDIS_URL: wrong }, cwd)
    t.match(doctor, { status: 1, out: /WRONGPASS/ })
    t.notMatch(doctor.out + doctor.err, /n0t-this-one/)
    await client.call('ACL', 'SETUSER', 'poor', 'on', '>poor', 'allkeys', '-@all', '+@connection', '+info')
    const poor = redis.url.replace('//', '//poor:poor@')
    const list = await runMain(['dead-letters', 'list'], { ...base, REDIS_URL: poor }, cwd)
    t.equal(list.status, 1)
    t.match(list.err, /NOPERM/)
  })
}
