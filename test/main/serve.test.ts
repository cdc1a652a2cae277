import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyBaseLogger } from 'fastify'
import t, { type Test } from 'tap'
import { createLogger } from '../../src/admin/logger.js'
import { serve } from '../../src/commands/serve.js'
import { loadConfig } from '../../src/config.js'
import { OutboxLockedError, OutboxUnusableError } from '../../src/outbox/outbox.js'
import { BASE, KEY, SHARED_SECRET } from '../config/given.js'
import { startChild } from './child.js'

const SERVE = { ...BASE, PORT: '0', ADMIN_PORT: '0', DELIVERY: 'direct' }

/** The whole program, listening. */
async function startServe(t: Test, env = {}) {
  const child = startChild('src/main.ts', [], { ...SERVE, ...env }, t.testdir({}))
  t.teardown(() => void child.process.kill('SIGKILL'))
  await child.said('Server listening at ')
  const [, url] = /Server listening at (http:\/\/[^"]+)/.exec(child.out()) ?? []
  return { ...child, url: url as string }
}

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} ends it well`, async t => {
    const child = await startServe(t, { RATE_LIMT_MAX: '1' })
    await child.said('RATE_LIMT_MAX is no variable')
    child.process.kill(signal)
    t.strictSame(await child.ended, { status: 0, signal: null })
    t.match(child.out(), new RegExp(`"signal":"${signal}","msg":"closing"`))
    t.match(child.out(), /"msg":"closed"/)
    t.notOk(child.out().includes(KEY.slice(14)) || child.out().includes(SHARED_SECRET))
  })
}

t.test('a second signal ends it at once, whoever still waits', async t => {
  const logtrail = createServer(() => {})
  t.teardown(() => {
    logtrail.closeAllConnections()
    logtrail.close()
  })
  await new Promise<void>(resolve => logtrail.listen(0, '127.0.0.1', resolve))
  const child = await startServe(t, {
    LOGTRAIL_URL: `http://127.0.0.1:${(logtrail.address() as AddressInfo).port}`,
    LOGTRAIL_TIMEOUT: '5m',
    SHUTDOWN_TIMEOUT: '5m',
    ANONYMOUS: 'allow'
  })
  const asked = once(logtrail, 'request')
  const post = fetch(`${child.url}/logtrail/logs`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
    body: JSON.stringify({ action: 'a.b', level: 'info', clientTimestamp: '2026-03-01T12:00:00Z' })
  })
  await Promise.all([
    t.rejects(post),
    asked.then(() => child.process.kill('SIGTERM')),
    child.said('"closing"').then(() => child.process.kill('SIGINT'))
  ])
  t.strictSame(await child.ended, { status: 1, signal: null })
  t.match(child.out(), /"signal":"SIGINT","msg":"a second signal: ending at once"/)
  t.notMatch(child.out(), /"msg":"closed"/)
})

t.test('errors that nobody caught', async t => {
  const cases = {
    throws: [/"level":"fatal".*"message":"broken \[SECRET\] .*".*nobody caught/, /the server closes/, /"closed"/],
    rejects: [/"level":"fatal".*"message":"broken".*nobody caught/, /"closed"/],
    'throws twice': [/nobody caught/, /"message":"broken again".*while closing: ending at once/]
  }
  for (const [how, said] of Object.entries(cases)) {
    const child = startChild('test/main/program.ts', [how], SERVE, t.testdir({}))
    t.strictSame(await child.ended, { status: 1, signal: null }, how)
    for (const one of said) t.match(child.out(), one, how)
    t.notOk(`${child.out()}${child.err()}`.includes(SHARED_SECRET), 'without a secret')
  }
})

t.test('what is said on the way out, in this process', async t => {
  type End = (why: { signal?: string; err?: Error }) => Promise<void>
  type Options = Record<'onSecondSignal' | 'onSecondError' | 'onTimeout', (what?: unknown) => void> & {
    delay: number
    logger: { error(err: unknown): void }
  }
  let options: Options | undefined
  let end: End | undefined
  const { serve } = await t.mockImport<typeof import('../../src/commands/serve.js')>('../../src/commands/serve.js', {
    'close-with-grace': (given: Options, run: End) => {
      options = given
      end = run
      return { uninstall: () => uninstalled++ }
    }
  })
  const said: unknown[][] = []
  const say = (level: string) => (what: unknown, message?: string) => said.push([level, message ?? what])
  const log = { info: say('info'), warn: say('warn'), fatal: say('fatal') } as unknown as FastifyBaseLogger
  let closed = 0
  let uninstalled = 0
  let err = ''
  const io = () => ({
    env: { ...BASE, RATE_LIMT_MAX: '1' },
    cwd: '/nowhere',
    out: () => {},
    err: (text: string) => (err += text)
  })
  const server = {
    log,
    async start() {
      t.type(end, Function, 'a signal that comes during the start is taken')
      return { publicUrl: '', adminUrl: undefined }
    },
    close: async () => void closed++
  }
  t.equal(await serve(io(), () => server), undefined, 'it goes on')
  t.equal(options?.delay, 13_000, 'SHUTDOWN_TIMEOUT and 5 seconds')
  await end?.({ signal: 'SIGTERM' })
  await end?.({ err: new Error('broken') })
  t.equal(closed, 2)
  options?.onSecondSignal('SIGINT')
  options?.onSecondError(new Error('broken'))
  options?.onTimeout()
  options?.logger.error(new Error('broken'))
  const start = () => Promise.reject(new DOMException('closed meanwhile', 'AbortError'))
  const silent = { ...log, warn: () => {} }
  t.equal(await serve(io(), () => ({ ...server, log: silent, start })), undefined, 'a start that a signal ended')
  t.strictSame({ uninstalled, err }, { uninstalled: 0, err: '' })
  t.equal(await serve(io(), () => ({ ...server, log: silent, start: () => Promise.reject(new Error('no')) })), 1)
  t.equal(uninstalled, 1, 'the status of a start that fails is its own')
  t.match(said, [
    ['warn', /^RATE_LIMT_MAX is no variable/],
    ['info', 'closing'],
    ['info', 'closed'],
    ['fatal', 'an error that nobody caught: closing'],
    ['info', 'closed'],
    ['warn', 'a second signal: ending at once'],
    ['fatal', 'an error while closing: ending at once'],
    ['fatal', 'closing hangs: ending at once'],
    ['fatal', 'closing failed']
  ])
})

t.test('a server that does not close', async t => {
  const failing = startChild('test/main/program.ts', ['close fails'], SERVE, t.testdir({}))
  await failing.said('serving')
  failing.process.kill('SIGTERM')
  t.strictSame(await failing.ended, { status: 1, signal: null })
  t.match(failing.out(), /"level":"fatal".*"message":"cannot close \[SECRET\]".*"closing failed"/)

  const env = { ...SERVE, SHUTDOWN_TIMEOUT: '0' }
  const hanging = startChild('test/main/program.ts', ['hangs'], env, t.testdir({}))
  await hanging.said('serving')
  hanging.process.kill('SIGTERM')
  t.strictSame(await hanging.ended, { status: 1, signal: null }, 'SHUTDOWN_TIMEOUT and some seconds are the end')
  t.match(hanging.out(), /"level":"fatal".*"closing hangs: ending at once"/)
})

t.test('a start that fails', async t => {
  const error = (code: string, more = {}) => Object.assign(new Error(`${code} happened`), { code, ...more })
  const listen = { syscall: 'listen', address: '127.0.0.1' }
  const cases: [error: Error, status: number, said: RegExp][] = [
    [error('EADDRINUSE', { ...listen, port: 8790 }), 78, /^HOST and PORT \(127.0.0.1 8790\) must be free: /],
    [
      error('EADDRINUSE', { ...listen, port: 9790 }),
      78,
      /^ADMIN_HOST and ADMIN_PORT \(127.0.0.1 9790\) must be free: /
    ],
    [error('EACCES', { ...listen, port: 8790 }), 78, /^HOST and PORT .* take one above 1023\n$/],
    [error('EADDRNOTAVAIL', { ...listen, port: 8790 }), 78, /^HOST and PORT must name an address of this machine: /],
    [error('ENOTFOUND', { hostname: 'nope.invalid' }), 78, /^HOST and PORT must name an address/],
    [error('EAI_AGAIN', { hostname: '127.0.0.2' }), 78, /^ADMIN_HOST and ADMIN_PORT must name an address/],
    [error('EADDRINUSE', { syscall: 'listen' }), 78, /^HOST and PORT \(127.0.0.1 8790\) must be free/],
    [new OutboxLockedError('/srv/queue'), 78, /^QUEUE_PATH \/srv\/queue is in use by another process/],
    [
      new OutboxUnusableError('/srv/queue', 'cannot be used: full'),
      78,
      /^QUEUE_PATH \/srv\/queue cannot be used: full\n$/
    ],
    [new Error('QUEUE_PATH is only how it begins'), 1, /^The start failed: Error: QUEUE_PATH is/],
    [error('EACCES', { syscall: 'open' }), 1, /^The start failed: Error: EACCES happened\n {4}at /],
    [new Error(`with ${KEY} in it`), 1, /^The start failed: Error: with \[SECRET\] in it/]
  ]
  for (const [failure, status, said] of cases) {
    let err = ''
    const io = {
      env: { ...BASE, ADMIN_HOST: '127.0.0.2' },
      cwd: '/nowhere',
      out: () => {},
      err: (text: string) => (err += text)
    }
    const given = { ...io, env: { ...io.env } }
    const seen = await serve(io, config => {
      t.strictSame(config, loadConfig(given))
      t.notOk('LOGTRAIL_API_KEY' in io.env)
      const start = () => Promise.reject(failure)
      return { log: createLogger({ level: 'silent', secrets: [] }), start, close: async () => {} }
    })
    t.equal(seen, status)
    t.match(err, said)
  }
})

t.test('a diagnostic report holds no secret', async t => {
  const folder = t.testdir({})
  const options = `--report-on-signal --report-signal=SIGUSR2 --report-directory=${folder}`
  const child = await startServe(t, { NODE_OPTIONS: options })
  child.process.kill('SIGUSR2')
  let report = ''
  // its last line closes it: while it is being written the text may end anywhere
  while (!report.endsWith('\n}')) {
    await new Promise(resolve => setTimeout(resolve, 20))
    const [file] = readdirSync(folder)
    if (file !== undefined) report = readFileSync(`${folder}/${file}`, 'utf8').trimEnd()
  }
  t.match(JSON.parse(report).environmentVariables, { SESSION_MODE: BASE.SESSION_MODE })
  t.notOk(report.includes(KEY) || report.includes(SHARED_SECRET))
})
