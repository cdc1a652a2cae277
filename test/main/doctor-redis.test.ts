import { createServer } from 'node:net'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { type RedisServer, startRedis } from '../helper/redis.js'
import { CERTIFICATE, PRIVATE_KEY } from '../logtrail/certificate.js'
import { checks, type Env, standIn } from './doctor.js'

async function withRedis(t: Test, config: Record<string, string> = {}): Promise<RedisServer | undefined> {
  const redis = await startRedis(config)
  if (redis === undefined) {
    t.pass('redis-server is not installed', { skip: 'needs redis-server' })
    return undefined
  }
  t.teardown(() => redis.stop())
  return redis
}

t.test('Redis: reachable, and what a 202 rests on', async t => {
  const redis = await withRedis(t)
  if (redis === undefined) return
  const { env } = await standIn(t)
  const base = { ...env, REDIS_URL: redis.url }
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())

  const limits = await checks(base)
  t.match(limits.named.redis, { status: 'ok', message: /^(Redis|Valkey) \d+\.\d+\.\d+ answers$/ })
  t.notOk(limits.named['redis durability'], 'limits may be lost')

  const queued = { ...base, DELIVERY: 'queued', QUEUE_STORE: 'redis' }
  const durability = async () => (await checks(queued)).named['redis durability']
  t.match(await durability(), { status: 'failed', message: /appendonly is no/, change: /appendonly yes/ })
  await client.config('SET', 'appendonly', 'yes')
  t.match(await durability(), { status: 'warning', message: /appendfsync is everysec.*up to two seconds/ })
  await client.config('SET', 'appendfsync', 'no')
  t.match(await durability(), { status: 'warning', message: /appendfsync is no/ })
  await client.config('SET', 'appendfsync', 'always')
  t.match(await durability(), { status: 'ok' })
  await client.config('SET', 'maxmemory-policy', 'allkeys-lru')
  t.match(await durability(), { status: 'failed', message: /allkeys-lru/, change: /noeviction/ })
  await client.config('SET', 'maxmemory-policy', 'noeviction')

  // a user as a managed service would give one
  const secret = 'pa/ss word-of-a-test'
  await client.call('ACL', 'SETUSER', 'app', 'on', `>${secret}`, '~*', '+@all', '-config')
  const as = (user: string, password: string) => redis.url.replace('//', `//${user}:${encodeURIComponent(password)}@`)
  const limited = await checks({ ...queued, REDIS_URL: as('app', secret) })
  t.match(limited.named['redis durability'], { status: 'warning', message: /^cannot tell appendfsync: .*CONFIG GET/ })
  t.equal(limited.status, 0)
  await client.call('ACL', 'SETUSER', 'app', '-info')
  const blind = await checks({ ...queued, REDIS_URL: as('app', secret) })
  for (const setting of ['appendonly', 'appendfsync', 'maxmemory-policy'])
    t.match(blind.out, `cannot tell ${setting}: `)
  t.match(blind.named, {
    redis: { status: 'warning', message: /may not ask its version/ },
    'redis durability': { status: 'warning' }
  })
  const wrong = await checks({ ...queued, REDIS_URL: as('app', `${secret} not`) })
  t.match(wrong.named.redis, { status: 'failed', message: /WRONGPASS/, change: /user and password into REDIS_URL/ })
  t.equal(wrong.status, 1)
  for (const { out } of [limited, wrong]) {
    t.notOk(out.includes(secret))
    t.notOk(out.includes(encodeURIComponent(secret)))
  }

  await client.call('REPLICAOF', '127.0.0.1', '9')
  t.match((await checks(base)).named.redis, { status: 'failed', message: /replica that cannot be written/ })
})

t.test('the session store, where it is another', async t => {
  const redis = await withRedis(t)
  if (redis === undefined) return
  const { env } = await standIn(t)
  const sessions: Env = { ...env, SESSION_MODE: 'redis', SESSION_JWT_SECRET: '', SESSION_SECRET: 's'.repeat(40) }
  const good = await checks({ ...sessions, SESSION_REDIS_URL: redis.url })
  t.match(good.named, { session: { status: 'ok' }, 'session redis': { status: 'ok' } })
  t.notOk(good.named.redis)
  const same = await checks({ ...sessions, REDIS_URL: redis.url })
  t.match(same.named, { session: { status: 'ok' }, redis: { status: 'ok' } })
  t.notOk(same.named['session redis'], 'one Redis is asked once')
  await redis.stop()
  const away = await checks({ ...sessions, SESSION_REDIS_URL: redis.url }, { timeoutMs: 300 })
  t.match(away, {
    status: 1,
    named: {
      session: { status: 'failed', change: /SESSION_REDIS_URL/ },
      'session redis': { status: 'failed', message: /ECONNREFUSED/, change: /SESSION_REDIS_URL/ }
    }
  })
})

t.test('a certificate that nobody vouches for', async t => {
  const redis = await startRedis({}, { key: PRIVATE_KEY, cert: CERTIFICATE })
  if (redis === undefined) {
    t.pass('redis-server is not installed', { skip: 'needs redis-server' })
    return
  }
  t.teardown(() => redis.stop())
  const { env } = await standIn(t)
  const { named, status } = await checks({ ...env, REDIS_URL: redis.url })
  t.match(named.redis, { status: 'failed', message: /self-signed/, change: /NODE_EXTRA_CA_CERTS/ })
  t.equal(status, 1)
  const plain = await checks({ ...env, REDIS_URL: redis.url.replace('rediss:', 'redis:') }, { timeoutMs: 500 })
  t.match(plain.named.redis, { status: 'failed', change: /rediss:\/\/ where it speaks TLS/ })
})

t.test('servers that are too old, silent, or no Redis at all', async t => {
  const { env } = await standIn(t)
  const versions = ['5.0.7', '6.0.16', '6.2.0']
  let answer: ((command: string) => string | undefined) | undefined
  const server = createServer(socket => {
    socket.on('error', () => {})
    socket.on('data', chunk => {
      for (const [, command] of String(chunk).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        const said = answer?.(command!.toLowerCase())
        if (said !== undefined) socket.write(said)
      }
    })
  }).listen(0, '127.0.0.1')
  t.teardown(() => server.close())
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const redis = async (timeoutMs?: number) =>
    (await checks({ ...env, REDIS_URL: `redis://127.0.0.1:${port}` }, timeoutMs ? { timeoutMs } : {})).named.redis
  for (const version of versions) {
    const info = `redis_version:${version}\r\nrole:master\r\n`
    answer = command =>
      ({ ping: '+PONG\r\n', info: `$${info.length}\r\n${info}\r\n`, client: '+OK\r\n' })[command] ??
      `-ERR unknown command '${command}'\r\n`
    t.match(await redis(), version === '6.2.0' ? { status: 'ok' } : { status: 'failed', message: /too old/ }, version)
  }
  const info = 'redis_version:7.2.4\r\nvalkey_version:8.1.0\r\nrole:master\r\n'
  answer = command => (command === 'info' ? `$${info.length}\r\n${info}\r\n` : '+PONG\r\n')
  t.match(await redis(), { status: 'ok', message: 'Valkey 8.1.0 answers' })
  answer = command =>
    command === 'ping' ? "-NOPERM this user has no permissions to run the 'ping' command\r\n" : '+OK\r\n'
  t.match(await redis(), { status: 'failed', message: /^no answer: NOPERM/, change: /user and password/ })
  answer = undefined
  t.match(await redis(200), { status: 'failed', change: /REDIS_URL/ })
  answer = () => 'HTTP/1.1 400 Bad Request\r\n\r\n'
  t.match(await redis(), { status: 'failed' })
  server.on('connection', socket => socket.end())
  t.match(await redis(), { status: 'failed', message: 'no answer: Connection is closed.' })
})
