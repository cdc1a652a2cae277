/** Sessions as express-session, connect-redis and @fastify/session write them, in a real Redis. */
import { createHmac } from 'node:crypto'
import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { createRedisSessions, type RedisSessionsOptions } from '../../src/session/redis-sessions.js'
import type { SessionSource } from '../../src/session/session.js'
import { outcome, refusal } from './forge.js'
import { connect, expressApp, fastifyApp } from './redis-apps.js'
import { redisMissing, startRedis } from './redis-server.js'

const OLD = 'the-old-secret-of-the-app-32-bytes-long'
const NEW = 'the-new-secret-of-the-app-32-bytes-long'

const sign = (id: string, secret = NEW) =>
  `${id}.${createHmac('sha256', secret).update(id).digest('base64').replace(/=+$/, '')}`
const signed = (id: string, secret = NEW) => ({ cookie: `connect.sid=s%3A${encodeURIComponent(sign(id, secret))}` })

/** An app's settings; the prefix is the one that the configuration gives where none is set. */
const APP = { cookie: 'connect.sid', secrets: [NEW, OLD], prefix: 'sess:', userClaim: 'passport.user' }

async function setUp(t: Test, more: Partial<RedisSessionsOptions> = {}) {
  const server = await startRedis()
  const redis = new Redis({ path: server.path, enableOfflineQueue: false, lazyConnect: true, retryStrategy: () => 20 })
  redis.on('error', () => {})
  await redis.connect()
  const source = createRedisSessions({ ...APP, redis, ...more })
  t.teardown(async () => {
    redis.disconnect()
    await source.close()
    server.resume()
    await server.stop()
  })
  return { server, redis, source }
}

async function readsWhatIsStored(t: Test, source: SessionSource, set: (key: string, text: string) => unknown) {
  const user = { passport: { user: 'ada' } }
  const ada = { userId: 'ada', via: 'cookie' }
  const cases: [string, unknown, unknown][] = [
    ['a user', user, ada],
    ['no cookie', { ...user, cookie: null }, ada],
    ['no end', { ...user, cookie: { expires: null } }, ada],
    ['an end that is none', { ...user, cookie: { expires: 'never' } }, ada],
    ['an end to come', { ...user, cookie: { expires: '2999-01-01T00:00:00Z' } }, ada],
    ['an end gone by', { ...user, cookie: { expires: '2020-01-01T00:00:00Z' } }, 'SESSION_EXPIRED'],
    ['an end as a number', { ...user, cookie: { expires: 1 } }, 'SESSION_EXPIRED'],
    ['nobody', { cookie: {} }, null],
    ['nobody any more', { passport: { user: null } }, null],
    ['a user that is none', { passport: { user: { id: 'ada' } } }, 'SESSION_INVALID'],
    ['an empty user', { passport: { user: '' } }, 'SESSION_INVALID'],
    ['null', null, null],
    ['a list', [user], null],
    ['text', 'ada', null],
    ['no JSON', undefined, 'SESSION_INVALID']
  ]
  for (const [name, stored, expected] of cases) {
    await set('app:id', stored === undefined ? '{' : JSON.stringify(stored))
    t.same(await outcome(source, signed('id')), expected, name)
  }
}

t.test('with a real Redis', { skip: redisMissing }, async t => {
  t.test('express-session and connect-redis', async t => {
    const { server, redis, source } = await setUp(t)
    const client = await connect(server.path)
    const app = await expressApp(client, [OLD])
    t.teardown(async () => {
      await app.close()
      client.destroy()
    })
    t.equal(source.readsAuthorization, false)

    const visitor = await app.visit('/')
    t.match(visitor, /^connect\.sid=s%3A/)
    t.equal(await outcome(source, { cookie: visitor }), null, 'a visitor who has not signed in has no session')

    const cookie = await app.visit('/login?user=ada', visitor)
    t.same(await outcome(source, { cookie: `theme=dark; ${cookie}` }), { userId: 'ada', via: 'cookie' })
    t.same(
      await outcome(source, { cookie: decodeURIComponent(cookie) }),
      { userId: 'ada', via: 'cookie' },
      'not encoded'
    )
    t.equal(await outcome(source, { authorization: `Bearer ${cookie.slice(12)}` }), null, 'a bearer is not read')

    const renewed = await expressApp(client, [NEW, OLD])
    t.teardown(() => renewed.close())
    const eve = await renewed.visit('/login?user=eve')
    t.same(await outcome(source, { cookie: eve }), { userId: 'eve', via: 'cookie' }, 'signed with the new secret')
    t.equal(
      await outcome(createRedisSessions({ ...APP, redis, secrets: [OLD] }), {
        cookie: eve
      }),
      'SESSION_INVALID',
      'which who has only the old one does not take'
    )

    await app.visit('/logout', cookie)
    t.equal(await outcome(source, { cookie }), 'SESSION_EXPIRED', 'signed out')
    t.match(await source.check(), { ok: true })
  })

  t.test('@fastify/session', async t => {
    const { server, source } = await setUp(t, { cookie: 'sid', userClaim: 'user.id' })
    const client = await connect(server.path)
    const app = await fastifyApp(client, [NEW, OLD])
    t.teardown(async () => {
      await app.close()
      client.destroy()
    })
    const cookie = await app.visit('/login?user=42')
    t.notMatch(cookie, /s%3A/)
    t.same(await outcome(source, { cookie }), { userId: '42', via: 'cookie' })
    t.equal(await outcome(source, { cookie: `${cookie.slice(0, -1)}` }), 'SESSION_INVALID')
  })

  t.test('a session in use lives on, though its stored `expires` stays behind', async t => {
    const clock = { time: Date.now() }
    const { server, redis, source } = await setUp(t, { now: () => clock.time })
    const client = await connect(server.path)
    const app = await expressApp(client, [NEW], 60_000)
    t.teardown(async () => {
      await app.close()
      client.destroy()
    })
    const cookie = await app.visit('/login?user=ada')
    const [key] = await redis.keys('sess:*')
    const before = await redis.get(key!)
    await redis.pexpire(key!, 1_000)
    await app.visit('/', cookie)
    t.equal(await redis.get(key!), before, 'what connect-redis does when a session is touched')
    t.ok((await redis.pttl(key!)) > 50_000)
    clock.time += 90_000
    t.same(await outcome(source, { cookie }), { userId: 'ada', via: 'cookie' })
    await redis.persist(key!)
    t.equal(await outcome(source, { cookie }), 'SESSION_EXPIRED', 'without an end of the key, `expires` is it')
  })

  t.test('what is stored', async t => {
    const { redis, source } = await setUp(t, { prefix: 'app:' })
    await readsWhatIsStored(t, source, (key, text) => redis.set(key, text))
    await redis.del('app:id')
    await redis.hset('app:id', 'passport', 'ada')
    const error = await refusal(source, signed('id'))
    t.match(error, { code: 'SESSION_UNAVAILABLE', cause: /^session store: WRONGTYPE/ })
    t.equal(await outcome(source, signed('other')), 'SESSION_EXPIRED')
    const unknown = "ERR unknown command 'get', with args beginning with: 'app:id' "
    const renamed = { get: () => Promise.reject(new Error(unknown)) } as unknown as Redis
    const { cause } = await refusal(createRedisSessions({ ...APP, redis: renamed }), signed('id'))
    t.match(cause, /^session store: ERR unknown command/)
    t.notMatch(cause, 'id', 'the session is not named')
  })

  t.test('a Redis that stands still, dies', async t => {
    const { server, redis, source } = await setUp(t, { timeoutMs: 500 })
    await redis.set('sess:id', JSON.stringify({ passport: { user: 'ada' } }))
    t.same(await outcome(source, signed('id')), { userId: 'ada', via: 'cookie' })
    server.pause()
    const flood = await Promise.all(Array.from({ length: 1_200 }, () => refusal(source, signed('id'))))
    t.same(new Set(flood.map(error => error.code)), new Set(['SESSION_UNAVAILABLE']))
    t.equal(flood.filter(error => error.cause === 'session store: no answer within 500 ms').length, 1_000)
    t.equal(flood.filter(error => /too many/.test(String(error.cause))).length, 200)
    t.match(await source.check(), { ok: false, message: /^the session store: too many/ })
    server.resume()
    await redis.ping()
    t.same(await outcome(source, signed('id')), { userId: 'ada', via: 'cookie' }, 'and is back')
    await server.kill()
    t.equal(await outcome(source, signed('id')), 'SESSION_UNAVAILABLE')
    t.match(await source.check(), { ok: false, message: /^the session store: / })
  })
})

t.test('without a good signature Redis is not asked', async t => {
  const asked: string[] = []
  const redis = {
    get: async (key: string) => {
      asked.push(key)
      return JSON.stringify({ sub: 'ada' })
    },
    pttl: async () => 1
  }
  const source = createRedisSessions({ ...APP, redis, userClaim: 'sub' })
  t.same(await outcome(source, signed('id', OLD)), { userId: 'ada', via: 'cookie' })
  t.same(asked.splice(0), ['sess:id'])
  const good = sign('id')
  const signature = good.slice(3)
  const forged: Record<string, string> = {
    unsigned: 's:id',
    'unsigned, with a dot': 's:id.',
    'only a signature': `s:.${createHmac('sha256', NEW).update('').digest('base64').replace(/=+$/, '')}`,
    'another id': `s:other.${signature}`,
    'another secret': `s:${sign('id', 'x'.repeat(32))}`,
    'no secret': `s:${sign('id', '')}`,
    'cut short': `s:${good.slice(0, -1)}`,
    'with its padding': `s:${good}=`,
    'one letter more': `s:${good}A`,
    'in hexadecimal': `s:id.${createHmac('sha256', NEW).update('id').digest('hex')}`,
    'by SHA-1, as cookie-session does': `s:id.${createHmac('sha1', NEW).update('id').digest('base64url')}`,
    'in the other alphabet': `s:${sign('id3').replaceAll('+', '-').replaceAll('/', '_')}x`,
    'letters outside ASCII': `s:id.${'é'.repeat(43)}`,
    'a wildcard': 's:*',
    'marked twice': `s:s:${good}`,
    'encoded twice': encodeURIComponent(encodeURIComponent(`s:${good}`)),
    'broken encoding': '%',
    'far too long': `s:${'a'.repeat(2_000)}.${signature}`,
    'far too long, and well signed': `s:${sign('a'.repeat(2_000))}`
  }
  for (const [name, value] of Object.entries(forged)) {
    t.equal(await outcome(source, { cookie: `connect.sid=${value}` }), 'SESSION_INVALID', name)
  }
  t.equal(
    await outcome(source, { cookie: `connect.sid=s:${good}; connect.sid=s:${sign('b')}` }),
    'SESSION_INVALID',
    'two'
  )
  t.equal(source.identify({}), null)
  t.equal(source.identify({ cookie: 'other=1; connect.sid=' }), null)
  t.same(asked, [])
})

t.test('the client’s errors are not passed on: they carry the id', async t => {
  const get = async () => {
    throw Object.assign(new Error('Connection is closed.'), { command: { name: 'get', args: ['sess:the-id'] } })
  }
  const source = createRedisSessions({ ...APP, redis: { get, pttl: async () => 1 } })
  const error = await refusal(source, signed('the-id'))
  t.equal(error.cause, 'session store: Connection is closed.')
})

t.test('a Redis that refuses a thousand times is asked once more', async t => {
  let refusals = 0
  const get = async () => {
    if (++refusals <= 1_000) throw new Error('LOADING')
    return JSON.stringify({ passport: { user: 'ada' } })
  }
  const source = createRedisSessions({ ...APP, redis: { get, pttl: async () => 1 } })
  for (let n = 0; n < 1_000; n++) await refusal(source, signed('id'))
  t.same(await outcome(source, signed('id')), { userId: 'ada', via: 'cookie' })
})

t.test('what a configuration must have', async t => {
  const make = (more: object) => () => createRedisSessions({ ...APP, redis: {} as Redis, ...more })
  t.throws(make({ secrets: [] }), /^SESSION_SECRET/)
  t.throws(make({ secrets: [NEW, ''] }), /^SESSION_SECRET/)
  t.throws(make({ userClaim: '' }), /^SESSION_USER_CLAIM/)
})

t.test('the same without a Redis at hand', async t => {
  const data = new Map<string, string>()
  const redis = { get: async (key: string) => data.get(key) ?? null, pttl: async () => -1 }
  const given = { ...APP, redis, prefix: 'app:' }
  const source = createRedisSessions(given)
  await readsWhatIsStored(t, source, (key, text) => data.set(key, text))
  data.clear()
  t.equal(await outcome(source, signed('id')), 'SESSION_EXPIRED')
  t.match(await source.check(), { ok: true })
  await source.close()

  const still = createRedisSessions({ ...given, redis: { ...redis, get: () => new Promise(() => {}) }, timeoutMs: 20 })
  const flood = await Promise.all(Array.from({ length: 1_001 }, () => refusal(still, signed('id'))))
  t.same(new Set(flood.map(error => error.code)), new Set(['SESSION_UNAVAILABLE']))
  t.match(await still.check(), { ok: false, message: /too many/ })
})
