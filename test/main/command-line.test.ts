import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createTcpServer } from 'node:net'
import t from 'tap'
import { runCommand } from '../../src/commands/command-line.js'
import { BASE, ec, KEY, pemOf, rsa, SHARED_SECRET } from '../config/given.js'
import { runMain } from './child.js'

/** A command in this process, with what it said. */
async function run(args: string[], env: Record<string, string | undefined> = {}, cwd = '/nowhere') {
  const said = { out: '', err: '' }
  const status = await runCommand(args, {
    env,
    cwd,
    out: text => {
      said.out += text
    },
    err: text => {
      said.err += text
    }
  })
  return { status, ...said }
}

t.test('the program as a process: statuses and what it says', async t => {
  const cwd = t.testdir({})
  const [config, wrong, unknown, version] = await Promise.all([
    runMain(['config'], BASE, cwd),
    runMain([], { ...BASE, PORT: 'x', RATE_LIMIT_MAX: 'y', SESSION_JWT_SECRET: SHARED_SECRET.slice(0, 20) }, cwd),
    runMain(['serv'], {}, cwd),
    runMain(['--version'], {}, cwd)
  ])
  t.match(config, { status: 0, err: '', out: /^LOGTRAIL_API_KEY=\*{4}\(staging/ })
  t.match(wrong, { status: 78, out: '', err: /^The configuration is wrong, 3 faults:\n( {2}.+\n){3}$/ })
  t.match(unknown, { status: 64, out: '', err: /^There is no command 'serv'\./ })
  t.match(version, { status: 0, out: /^\d+\.\d+\.\d+\n$/, err: '' })
  for (const { out, err } of [config, wrong]) {
    for (const secret of [KEY.slice(14), SHARED_SECRET, SHARED_SECRET.slice(0, 20)])
      t.notOk(`${out}${err}`.includes(secret))
  }
})

t.test('the file that is run', async t => {
  const statusBefore = process.exitCode
  t.teardown(() => {
    process.exitCode = statusBefore
  })
  const main = async (...args: string[]) => {
    const out = t.capture(process.stdout, 'write', () => true)
    const err = t.capture(process.stderr, 'write', () => true)
    const timers = t.capture(globalThis, 'setTimeout', () => ({ unref() {} }))
    t.intercept(process, 'argv', { value: ['node', 'main.js', ...args] })
    await t.mockImport('../../src/main.js')
    for (const { restore } of [out, err, timers]) restore()
    const last = timers.args().filter(([run]) => run === process.exit)
    t.match(last, [[process.exit, 2000]], 'what a failed start leaves open does not keep the process')
    return { status: process.exitCode, out: out.args().join(), err: err.args().join() }
  }
  t.match(await main('--version'), { status: 0, out: /\d+\.\d+\.\d+\n/, err: '' })
  t.match(await main('nope'), { status: 64, err: /There is no command 'nope'/ })
})

t.test('a port that is taken is one clear message and 78', async t => {
  const taken = createTcpServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await new Promise(resolve => taken.once('listening', resolve))
  const { port } = taken.address() as AddressInfo
  const cwd = t.testdir({})
  const [serve, admin] = await Promise.all([
    runMain(['serve'], { ...BASE, PORT: String(port), ADMIN_PORT: '0', LOG_LEVEL: 'silent' }, cwd),
    runMain(['serve'], { ...BASE, PORT: '0', ADMIN_PORT: String(port), LOG_LEVEL: 'silent' }, cwd)
  ])
  t.match(serve, {
    status: 78,
    err: `HOST and PORT (127.0.0.1 ${port}) must be free: another program listens there already\n`
  })
  t.match(admin, { status: 78, err: `ADMIN_HOST and ADMIN_PORT (127.0.0.1 ${port}) must be free` })
})

t.test('help', async t => {
  for (const args of [['--help'], ['-h'], ['serve', '--help'], ['config', '-h']]) {
    t.match(await run(args), { status: 0, out: /logtrail-bff config \[--json\]/, err: '' })
  }
  t.match(await run(['-v']), { status: 0, out: /^\d/ })
})

t.test('unknown commands and options', async t => {
  const wrong = [['nope'], ['constructor'], [''], ['config', '--x'], ['--x'], ['serve', 'now'], ['health', '--json']]
  for (const args of [...wrong, ['config', '--json=1']]) {
    t.match(await run(args, BASE), { status: 64, out: '', err: /Exit status: 0 well/ }, args.join(' '))
  }
})

t.test('config', async t => {
  const { status, out, err } = await run(['config'], { ...BASE, RATE_LIMT_MAX: '1' })
  t.equal(status, 0)
  t.match(out, /^RATE_LIMIT_MAX=120 {2}# default$/m)
  t.equal(
    err,
    'Warning: RATE_LIMT_MAX is no variable of this program and has no effect: the nearest one is RATE_LIMIT_MAX\n'
  )
  t.match(JSON.parse((await run(['config', '--json'], BASE)).out), { PORT: { value: 8790, source: 'default' } })
  for (const args of [[], ['serve'], ['config']])
    t.match(await run(args, {}), { status: 78, out: '', err: /^The configuration is wrong, 3 faults/ })
})

t.test('a key that no session can be verified with is said before anything starts, by every command', async t => {
  const { LOGTRAIL_API_KEY, LOGTRAIL_PLAN } = BASE
  const base = { LOGTRAIL_API_KEY, LOGTRAIL_PLAN, SESSION_MODE: 'jwt', PORT: '0', ADMIN_PORT: '0' }
  const pss = pemOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey)
  const keySet = { SESSION_JWKS_URL: 'http://127.0.0.1:9/', SESSION_JWT_ISSUER: 'i', SESSION_JWT_AUDIENCE: 'a' }
  const cases: [Record<string, string>, RegExp][] = [
    [
      { SESSION_JWT_SECRET: `{"kty":"oct","k":"${SHARED_SECRET}"}` },
      /SESSION_JWT_SECRET must be the shared secret itself/
    ],
    [{ SESSION_JWT_SECRET: pemOf(rsa.publicKey) }, /SESSION_JWT_SECRET must be a shared secret/],
    [{ SESSION_JWT_PUBLIC_KEY: pss }, /SESSION_JWT_PUBLIC_KEY must be an RSA key/],
    [
      { SESSION_JWT_PUBLIC_KEY: pemOf(ec.publicKey), SESSION_JWT_ALGORITHMS: 'RS256' },
      /SESSION_JWT_ALGORITHMS must be ES256/
    ],
    [{ ...keySet, SESSION_JWT_ALGORITHMS: 'HS256' }, /SESSION_JWT_ALGORITHMS must be algorithms with public keys/],
    [{ ...keySet, SESSION_JWT_ISSUER: ',' }, /SESSION_JWT_ISSUER is required/],
    [{ ...keySet, SESSION_JWT_AUDIENCE: ' , ' }, /SESSION_JWT_AUDIENCE is required/],
    [{ SESSION_MODE: 'redis', REDIS_URL: 'redis://127.0.0.1:9', SESSION_SECRET: ',' }, /SESSION_SECRET is required/]
  ]
  for (const [env, said] of cases) {
    for (const command of ['config', 'serve', 'doctor']) {
      const { status, out, err } = await run([command], { ...base, ...env })
      t.match({ status, out }, { status: 78, out: '' }, `${command}: ${said}`)
      t.match(err, said)
      t.match(err, /^The configuration is wrong, one fault:/)
      t.notOk(err.includes(SHARED_SECRET))
    }
  }
})

t.test('health', async t => {
  let status = 200
  const paths: (string | undefined)[] = []
  const server = createServer((request, response) => {
    paths.push(request.url)
    if (status) response.writeHead(status).end('{}')
  })
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const ADMIN_PORT = String((server.address() as AddressInfo).port)
  t.strictSame(await run(['health'], { ADMIN_PORT }), { status: 0, out: '', err: '' }, 'with no more than the address')
  t.match(await run(['health'], { ADMIN_PORT, ADMIN_HOST: '0.0.0.0', RATE_LIMIT_MAX: 'x' }), { status: 0 })
  t.match(await run(['health'], { ADMIN_PORT, ADMIN_HOST: '::' }), { status: 0 })
  t.strictSame(new Set(paths), new Set(['/healthz']))
  status = 503
  t.match(await run(['health'], { ADMIN_PORT }), { status: 1, err: /\/healthz answered 503\.\n$/ })
  status = 0
  const { health } = await import('../../src/commands/health.js')
  let err = ''
  const io = { env: { ADMIN_PORT }, cwd: '/nowhere', out: () => {}, err: (text: string) => (err += text) }
  t.equal(await health(io, 20), 1)
  t.match(err, /does not answer: .*(timeout|abort)/i)
  server.closeAllConnections()
  server.close()
  t.match(await run(['health'], { ADMIN_PORT, ADMIN_HOST: '::1' }), {
    status: 1,
    err: /http:\/\/\[::1\]:.* does not answer/
  })
  t.match(await run(['health'], { ADMIN_PORT: '0' }), { status: 1, err: /ADMIN_PORT=0 turns the admin listener off/ })
  t.match(await run(['health'], { ADMIN_PORT: 'x' }), { status: 78, err: /ADMIN_PORT must be/ })
})

t.test('a fault of the program is not swallowed', async t => {
  const broken = { env: BASE, cwd: '/nowhere', err: () => {} }
  await t.rejects(
    runCommand(['config'], {
      ...broken,
      out: () => {
        throw new Error('the pipe broke')
      }
    }),
    { message: 'the pipe broke' }
  )
})
