import { once } from 'node:events'
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from 'node:net'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type Line, startLine } from '../../src/app/delivery.js'
import { openKeys } from '../../src/app/keys.js'
import { createSessions, createTagger } from '../../src/app/sessions.js'
import { createServer } from '../../src/app.js'
import { loadConfig } from '../../src/config.js'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { BASE } from '../config/given.js'
import { freePort } from '../helper/free-port.js'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { startRedis } from '../helper/redis.js'
import { heldQueue } from '../main/held-queue.js'
import { until } from '../outbox/until.js'

/** The program in this process, not started yet. */
async function create(t: Test, env: Record<string, string> = {}) {
  const [port, adminPort] = [await freePort(), await freePort()]
  const lines: string[] = []
  const more = { PORT: String(port), ADMIN_PORT: String(adminPort), DELIVERY: 'queued', ...env }
  const config = loadConfig({ cwd: '/nowhere', env: { ...BASE, LOGTRAIL_URL: 'http://127.0.0.1:9', ...more } })
  const server = createServer(config, { logDestination: { write: line => void lines.push(line) } })
  t.teardown(() => server.close())
  const admin = `http://127.0.0.1:${adminPort}`
  return {
    server,
    lines,
    port,
    admin,
    url: `http://127.0.0.1:${port}`,
    async get(path: string) {
      const response = await fetch(admin + path)
      const text = await response.text()
      return { status: response.status, text, body: text.startsWith('{') ? JSON.parse(text) : undefined }
    },
    /** The start, whose end is looked at later. */
    start() {
      const started = server.start()
      started.catch(() => {})
      return started
    }
  }
}

const STOPPED = { name: 'AbortError' }

t.test('while the queue is being opened: alive, starting, and nobody is let in', async t => {
  const queue = await heldQueue(t)
  const program = await create(t, { QUEUE_PATH: queue.path, SHUTDOWN_TIMEOUT: '100ms' })
  const started = program.start()
  t.equal(program.server.start(), started, 'started once')
  await queue.begun()
  t.match(await program.get('/healthz'), { status: 200, body: { status: 'ok' } })
  t.match(await program.get('/readyz'), {
    status: 503,
    body: { status: 'starting', checks: { queue: { ok: false, message: 'the queue is being opened' } } }
  })
  t.match(await program.get('/metrics'), { status: 200, text: /^logtrail_bff_queue_entries 0$/m })
  t.match(await program.get('/status'), {
    status: 200,
    body: { phase: 'starting', status: 'starting', inFlight: 0, queue: null, budget: null }
  })
  t.equal((await program.get('/')).status, 200)
  await t.rejects(fetch(program.url), { cause: { code: 'ECONNREFUSED' } })

  await queue.letGo()
  t.strictSame(await started, { publicUrl: program.url, adminUrl: program.admin })
  t.equal((await program.get('/readyz')).status, 200)
  t.match((await program.get('/status')).body, {
    phase: 'serving',
    inFlight: 0,
    books: { inherited: 1 },
    queue: { entries: 1 },
    budget: { configured: 300 }
  })
})

t.test('closed while the queue is being opened: it is closed again, and nothing is sent', async t => {
  const logtrail = await startLogtrail()
  t.teardown(() => logtrail.close())
  const queue = await heldQueue(t)
  const program = await create(t, { QUEUE_PATH: queue.path, LOGTRAIL_URL: logtrail.url, SHUTDOWN_TIMEOUT: '1m' })
  const started = program.start()
  await queue.begun()
  const closed = program.server.close()
  t.equal(program.server.close(), closed, 'closed once')
  t.match(await program.get('/readyz'), { status: 503, body: { status: 'stopping' } })
  await queue.letGo()
  await t.rejects(started, STOPPED)
  await closed
  t.equal(await queue.entries(), 1, 'for whoever comes next')
  t.equal(logtrail.requests.length, 0)
  await t.rejects(fetch(program.admin), { cause: { code: 'ECONNREFUSED' } })
  t.equal(program.lines.filter(line => line.includes('Server listening')).length, 1, 'the admin listener alone')
  t.notMatch(program.lines.join(''), /"level":"(warn|error|fatal)"/)
})

t.test('damage that is found then is told all the same: the next start finds it repaired', async t => {
  const queue = await heldQueue(t)
  const program = await create(t, { QUEUE_PATH: queue.path, SHUTDOWN_TIMEOUT: '1m' })
  const started = program.start()
  await queue.begun()
  const closed = program.server.close()
  await queue.letGo('MANIFEST-000099\n')
  await t.rejects(started, STOPPED)
  await closed
  t.match(program.lines.join(''), /"level":"error".*"set_aside":.*the queue was damaged .* and repaired/)
  t.equal(await queue.entries(), 1)
})

t.test('a step that takes longer than SHUTDOWN_TIMEOUT is left', async t => {
  const queue = await heldQueue(t)
  const program = await create(t, { QUEUE_PATH: queue.path, SHUTDOWN_TIMEOUT: '200ms' })
  const started = program.start()
  await queue.begun()
  await program.server.close()
  await t.rejects(fetch(program.admin), { cause: { code: 'ECONNREFUSED' } })
  await queue.letGo()
  await t.rejects(started, STOPPED)
  await until(() => queue.entries().then(Boolean, () => false))
})

t.test('closed at its first step, or never started', async t => {
  const program = await create(t, { DELIVERY: 'direct' })
  const started = program.start()
  await program.server.close()
  await t.rejects(started, STOPPED)
  t.strictSame(program.lines, [], 'no listener was opened')
  const never = await create(t)
  await never.server.close()
})

t.test('closed while Redis takes connections and says nothing: they are ended', async t => {
  const sockets = new Set<Socket>()
  let closed: Promise<void> | undefined
  const silent = createTcpServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    socket.resume()
    // the second is the queue's, for which the start waits
    if (sockets.size === 2) closed ??= program.server.close()
  }).listen(0, '127.0.0.1')
  await once(silent, 'listening')
  t.teardown(() => silent.close())
  const REDIS_URL = `redis://127.0.0.1:${(silent.address() as AddressInfo).port}`
  const program = await create(t, { REDIS_URL, QUEUE_STORE: 'redis' })
  await t.rejects(program.server.start(), STOPPED)
  t.ok(closed)
  await closed
  await until(() => sockets.size === 0)
})

const redis = await startRedis()
t.teardown(() => redis?.stop())

t.test('closed when it was about to send: another may at once', { skip: !redis && 'needs redis-server' }, async t => {
  let closed: Promise<void> | undefined
  // between the program and Redis: once it is said who sends, and before it has heard the next answer, the end comes
  const between = createTcpServer(socket => {
    const far = connect(redis!.port, '127.0.0.1')
    socket.on('error', () => {}).on('close', () => far.destroy())
    far.on('error', () => {}).on('close', () => socket.destroy())
    far.pipe(socket)
    socket.on('data', chunk => {
      if (chunk.includes('replication')) closed ??= program.server.close()
      far.write(chunk)
    })
  }).listen(0, '127.0.0.1')
  await once(between, 'listening')
  t.teardown(() => between.close())
  const REDIS_URL = `redis://127.0.0.1:${(between.address() as AddressInfo).port}`
  const program = await create(t, { REDIS_URL, QUEUE_STORE: 'redis' })
  await t.rejects(program.server.start(), STOPPED)
  t.ok(closed)
  await closed
  t.match(program.lines.join(''), /this process sends the entries of the shared queue/)
  const client = new Redis(redis!.url)
  t.teardown(() => client.disconnect())
  const keys = await client.keys('*')
  t.ok(keys.length > 0)
  t.notOk(
    keys.some(key => key.endsWith('lease')),
    'the lease is given back'
  )
})

t.test('a start that fails closes what it has opened', async t => {
  const path = t.testdir({})
  const outbox = createDiskOutbox({ path, maxBytes: 1e6 })
  await outbox.start()
  const late = await create(t, { QUEUE_PATH: path })
  await t.rejects(late.server.start(), { path, message: /in use by another process/ })
  await t.rejects(fetch(late.admin), { cause: { code: 'ECONNREFUSED' } })
  await outbox.stop()

  const taken = createTcpServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  t.teardown(() => taken.close())
  const { port } = taken.address() as AddressInfo
  for (const name of ['PORT', 'ADMIN_PORT']) {
    const program = await create(t, { QUEUE_PATH: path, [name]: String(port) })
    await t.rejects(program.server.start(), { code: 'EADDRINUSE', port }, name)
    await t.rejects(fetch(name === 'PORT' ? program.admin : program.url), { cause: { code: 'ECONNREFUSED' } })
    const next = createDiskOutbox({ path, maxBytes: 1e6 })
    await next.start()
    await next.stop()
  }
})

/** The program, whose source of sessions cannot be closed; `closed` tells of the keys, which are closed last. */
async function createFailing(t: Test, env: Record<string, string>) {
  let closed = false
  const { createServer } = await t.mockImport<typeof import('../../src/app.js')>('../../src/app.js', {
    '../../src/app/keys.js': {
      openKeys(...given: Parameters<typeof openKeys>) {
        const keys = openKeys(...given)
        const close = async () => {
          await keys.close()
          closed = true
        }
        return { ...keys, close }
      }
    },
    '../../src/app/sessions.js': {
      createTagger,
      createSessions: async (...given: Parameters<typeof createSessions>) => {
        const sessions = await createSessions(...given)
        return { ...sessions, close: () => sessions.close().then(() => Promise.reject(new Error('EIO'))) }
      }
    }
  })
  const config = loadConfig({
    cwd: '/nowhere',
    env: { ...BASE, PORT: '0', ADMIN_PORT: '0', DELIVERY: 'direct', ...env }
  })
  const server = createServer(config, { logDestination: { write: () => {} } })
  return { server, closed: () => closed }
}

t.test('what cannot be closed keeps nothing else open', async t => {
  const { server, closed } = await createFailing(t, {})
  await server.start()
  await t.rejects(server.close(), { message: 'EIO' })
  t.ok(closed())
})

t.test('and of a start that failed it is told what made it fail', async t => {
  const taken = createTcpServer().listen(0, '127.0.0.1')
  t.teardown(() => taken.close())
  await once(taken, 'listening')
  const { server, closed } = await createFailing(t, { PORT: String((taken.address() as AddressInfo).port) })
  await t.rejects(server.start(), { code: 'EADDRINUSE' })
  t.ok(closed())
})

t.test('an outbox that cannot be closed while it opens: whoever closes it is told, nobody else', async t => {
  const ending = new AbortController()
  let stopped = 0
  const delivery = {
    start: async () => {
      ending.abort()
      return { inherited: 0 }
    },
    stop() {
      stopped++
      return Promise.reject(new Error('EIO'))
    }
  }
  t.same(await startLine({ delivery } as unknown as Line, ending.signal), { inherited: 0 })
  t.equal(stopped, 1)
})
