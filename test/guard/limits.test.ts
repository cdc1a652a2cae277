import fastify from 'fastify'
import t, { type Test } from 'tap'
import {
  type Caller,
  createLocalLimits,
  type LimitSettings,
  limitExceeded,
  standingOf
} from '../../src/guard/limits.js'
import { entry, type Program, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

const OFF: LimitSettings = {
  window: 60_000,
  address: 0,
  userRequests: 0,
  userEntries: 0,
  anonymousRequests: 0,
  anonymousEntries: 0
}

async function limitsOf(t: Test, settings: Partial<LimitSettings>) {
  const app = fastify()
  t.teardown(() => app.close())
  const limits = await createLocalLimits(app, { ...OFF, ...settings })
  return { ...limits, byAddress: (addressKey: string) => limits.address(nobody(addressKey)) }
}

const user = (userId: string): Caller => ({ addressKey: '192.0.2.1', userId })
const nobody = (addressKey: string): Caller => ({ addressKey, userId: undefined })

t.test('0 turns a limit off', async t => {
  const limits = await limitsOf(t, {})
  for (let n = 0; n < 100; n++) {
    t.equal(await limits.byAddress('a'), null)
    t.equal(await limits.request(user('ada')), null)
    t.equal(await limits.request(nobody('a')), null)
    t.equal(await limits.entries(user('ada'), 1e6), null)
    t.equal(await limits.entries(nobody('a'), 1e6), null)
  }
})

t.test('requests are counted by address, by user, and without a session by address, each for itself', async t => {
  let now = 500
  const wall = () => 1_700_000_000_000 + now
  const limits = await limitsOf(t, { address: 3, userRequests: 2, anonymousRequests: 1, now: () => now, wall })
  const standing = { limit: 3, reset: 1_700_000_061, retryAfter: 60 }
  t.same(await limits.byAddress('ada'), { ...standing, remaining: 2, exceeded: false })
  t.same(await limits.byAddress('ada'), { ...standing, remaining: 1, exceeded: false })
  t.same(await limits.byAddress('ada'), { ...standing, remaining: 0, exceeded: false })
  t.same(await limits.byAddress('ada'), { ...standing, remaining: 0, exceeded: true })

  t.match(await limits.request(user('ada')), { limit: 2, remaining: 1, exceeded: false }, 'a user of that name')
  t.match(await limits.request(user('ada')), { remaining: 0, exceeded: false })
  t.match(await limits.request(user('ada')), { remaining: 0, exceeded: true })
  t.match(await limits.request(user('grace')), { remaining: 1, exceeded: false })

  t.match(await limits.request(nobody('ada')), { limit: 1, remaining: 0, exceeded: false }, 'an address of that name')
  t.match(await limits.request(nobody('ada')), { remaining: 0, exceeded: true })

  now += 59_500
  t.match(await limits.byAddress('ada'), { retryAfter: 1, exceeded: true }, 'whole seconds, and never 0')
  now += 500
  t.match(await limits.byAddress('ada'), { remaining: 2, exceeded: false }, 'a new window')
  t.match(await limits.request(user('ada')), { remaining: 1, exceeded: false })
})

t.test('a date that is set changes when a window is over, as it is told, and not when it is', async t => {
  let now = 0
  let date = 1_700_000_000_000
  const one = { address: 1, userRequests: 1, userEntries: 1 }
  const limits = await limitsOf(t, { ...one, now: () => now, wall: () => date })
  const ask = async () => [
    await limits.byAddress('a'),
    limits.request(user('ada')),
    await limits.entries(user('ada'), 1)
  ]
  await ask()
  now += 10_000
  for (const jump of [-3_600_000, 7_200_000]) {
    date += jump
    const standing = { exceeded: true, retryAfter: 50, reset: date / 1000 + 50 }
    t.match(await ask(), [standing, standing, standing])
  }
  now += 50_000
  t.match(await ask(), [{ exceeded: false }, { exceeded: false }, { exceeded: false }])
})

t.test('user ids that are names of the language count like any other', async t => {
  const limits = await limitsOf(t, { userRequests: 1, userEntries: 1 })
  for (const name of ['__proto__', 'constructor', 'toString', '', '0']) {
    t.match(await limits.request(user(name)), { exceeded: false }, name)
    t.match(await limits.request(user(name)), { exceeded: true }, name)
    t.match(await limits.entries(user(name), 1), { exceeded: false }, name)
    t.match(await limits.entries(user(name), 1), { exceeded: true }, name)
  }
})

t.test('entries count by their number, and a refused request takes nothing', async t => {
  const limits = await limitsOf(t, { userEntries: 10, anonymousEntries: 5 })
  t.match(await limits.entries(user('ada'), 6), { limit: 10, remaining: 4, exceeded: false })
  for (let n = 0; n < 20; n++) t.match(await limits.entries(user('ada'), 5), { remaining: 4, exceeded: true })
  t.match(await limits.entries(user('ada'), 4), { remaining: 0, exceeded: false })
  const refused = await limits.entries(user('ada'), 1)
  t.match(refused, { limit: 10, remaining: 0, exceeded: true })
  t.ok(refused!.retryAfter >= 1 && refused!.retryAfter <= 60)
  t.ok(Math.abs(refused!.reset - (Date.now() / 1000 + refused!.retryAfter)) < 3)
  t.match(await limits.entries(user('grace'), 10), { remaining: 0, exceeded: false }, 'another user has their own')
  t.match(await limits.entries(nobody('ada'), 5), { limit: 5, remaining: 0, exceeded: false }, 'so has an address')
  t.match(await limits.entries(nobody('ada'), 1), { exceeded: true })
})

t.test('more entries than a whole window allows can never pass: 400 and not 429', async t => {
  const limits = await limitsOf(t, { userEntries: 10, anonymousEntries: 5 })
  for (const [caller, entries] of [
    [user('ada'), 11],
    [nobody('a'), 6]
  ] as const) {
    t.throws(() => limits.entries(caller, entries), {
      code: 'VALIDATION_BULK_LIMIT_EXCEEDED',
      statusCode: 400,
      message: `The request holds ${entries} entries; at most ${entries - 1} can be sent at once.`
    })
  }
  t.match(await limits.entries(user('ada'), 10), { remaining: 0, exceeded: false }, 'and it took nothing')
})

t.test('entries are let in again when the window is over', async t => {
  const limits = await limitsOf(t, { window: 300, userEntries: 2 })
  t.match(await limits.entries(user('ada'), 2), { exceeded: false })
  t.match(await limits.entries(user('ada'), 1), { exceeded: true, retryAfter: 1 })
  while ((await limits.entries(user('ada'), 1))?.exceeded) await new Promise(resolve => setTimeout(resolve, 20))
  t.match(await limits.entries(user('ada'), 1), { remaining: 0, exceeded: false })
})

t.test('Reset and Retry-After tell the same moment, whatever the part of a second', async t => {
  for (let now = 1_700_000_000_000; now < 1_700_000_002_000; now += 37) {
    for (const ttl of [1, 499, 500, 501, 999, 1000, 1001, 59_999, 60_000]) {
      const { reset, retryAfter } = standingOf(1, { current: 1, ttl, exceeded: true }, now)
      const left = reset - Math.floor(now / 1000)
      const from = `${now % 1000} and ${ttl} ms`
      if (left !== retryAfter && left !== retryAfter + 1)
        t.fail(`${from}: Reset in ${left} s, Retry-After ${retryAfter}`)
      if (reset * 1000 < now + ttl || retryAfter * 1000 < ttl) t.fail(`${from}: too early`)
    }
  }
  t.pass('they share a second, and neither is too early')
})

t.test('the error of a standing', async t => {
  const standing = { limit: 10, remaining: 0, reset: 1_700_000_061, retryAfter: 42, exceeded: true }
  t.match(limitExceeded('RATE_LIMIT_USER_EXCEEDED', standing), {
    statusCode: 429,
    retryAfter: 42,
    headers: { 'x-ratelimit-limit': 10, 'x-ratelimit-remaining': 0, 'x-ratelimit-reset': 1_700_000_061 }
  })
})

type Answer = Awaited<ReturnType<Program['post']>>

function is429(t: Test, answer: Answer, code: string, limit: number): void {
  t.match(answer, { status: 429, body: { error_code: code } })
  t.equal(answer.headers.get('x-ratelimit-limit'), String(limit))
  t.match(answer.headers.get('x-ratelimit-remaining'), /^\d+$/)
  const retry = Number(answer.headers.get('retry-after'))
  t.ok(Number.isInteger(retry) && retry >= 1 && retry <= 60, 'Retry-After in whole seconds')
  const reset = Number(answer.headers.get('x-ratelimit-reset'))
  t.ok(Math.abs(reset - (Date.now() / 1000 + retry)) <= 2, 'Reset in Unix seconds, where Retry-After says')
}

t.test('by address: everything counts, refused requests and unknown addresses too', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_IP_MAX: '6', ALLOWED_ORIGINS: 'https://app.example' } })
  const page = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }
  t.equal((await proxy.get('/logtrail/nowhere')).status, 404)
  t.equal((await proxy.post(undefined, { method: 'PUT' })).status, 405)
  t.equal((await proxy.post(entry(), { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403)
  t.equal((await proxy.post(entry(), { user: null })).status, 401)
  t.equal((await proxy.post('{')).status, 400)
  t.equal((await proxy.post(entry())).status, 201)
  is429(t, await proxy.post(entry(), { user: 'grace' }), 'RATE_LIMIT_IP_EXCEEDED', 6)
  is429(t, await proxy.get('/logtrail/nowhere'), 'RATE_LIMIT_IP_EXCEEDED', 6)
  const preflight = await proxy.post(undefined, { method: 'OPTIONS', headers: page })
  t.equal(preflight.status, 204, 'a preflight is answered, so that the page can read the 429 to come')
  const told = await proxy.post(entry(), { headers: page })
  is429(t, told, 'RATE_LIMIT_IP_EXCEEDED', 6)
  t.equal(told.headers.get('access-control-allow-origin'), 'https://app.example')
  t.equal((await proxy.post(undefined, { method: 'OPTIONS', path: '/logtrail/x', headers: page })).status, 429)
  t.equal(proxy.logtrail.entries().length, 1)
})

t.test('by address: requests without one Host count, and are refused for their number first', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_IP_MAX: '3' } })
  const hosts = ['', 'Host: a\r\nHost: a\r\n', '', '', 'Host: a\r\nHost: b\r\n']
  const answers = []
  for (const host of hosts) answers.push(await raw(proxy.url, `GET /logtrail/client.js HTTP/1.1\r\n${host}\r\n`))
  t.same(answers.flatMap(statuses), [400, 400, 400, 429, 429])
  t.ok(answers.every(answer => /^connection: close\r$/im.test(answer)))
  is429(t, await proxy.post(entry()), 'RATE_LIMIT_IP_EXCEEDED', 3)
})

t.test('by user: requests', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_MAX: '2' } })
  const first = await proxy.post(entry())
  t.match(first, { status: 201 })
  t.equal(first.headers.get('x-ratelimit-limit'), '2')
  t.equal(first.headers.get('x-ratelimit-remaining'), '1')
  t.equal(first.headers.get('retry-after'), null)
  t.equal((await proxy.post('{')).status, 400, 'faulty requests count')
  const refused = await proxy.post(entry())
  is429(t, refused, 'RATE_LIMIT_USER_EXCEEDED', 2)
  t.match(refused.headers.get('x-session-tag'), /^[0-9a-f]{16}$/)
  t.equal((await proxy.post(entry(), { user: 'grace' })).status, 201)
  is429(t, await proxy.post([entry()], { path: '/logtrail/logs/bulk' }), 'RATE_LIMIT_USER_EXCEEDED', 2)
})

t.test('by user: entries', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_LOGS_MAX: '10' } })
  const bulk = (length: number, user = 'ada') =>
    proxy.post(
      Array.from({ length }, () => entry()),
      { path: '/logtrail/logs/bulk', user }
    )
  t.equal((await bulk(7)).status, 201)
  is429(t, await bulk(4), 'RATE_LIMIT_LOGS_EXCEEDED', 10)
  t.equal((await bulk(3)).status, 201, 'the refused ones took nothing')
  is429(t, await proxy.post(entry()), 'RATE_LIMIT_LOGS_EXCEEDED', 10)
  t.equal((await bulk(10, 'grace')).status, 201)
  const tooMany = await bulk(11, 'eve')
  t.match(tooMany, { status: 400, body: { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED' } })
  t.equal(tooMany.headers.get('retry-after'), null)
  t.equal((await bulk(10, 'eve')).status, 201)
  t.equal(proxy.logtrail.entries().length, 30)
})

t.test('by user: entries that are left out count like those that leave', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_LOGS_MAX: '5', MIN_LEVEL: 'error' } })
  const bulk = (length: number) =>
    proxy.post(
      Array.from({ length }, () => entry({ level: 'debug' })),
      { path: '/logtrail/logs/bulk' }
    )
  t.equal((await bulk(4)).status, 201)
  is429(t, await bulk(2), 'RATE_LIMIT_LOGS_EXCEEDED', 5)
  t.equal((await bulk(1)).status, 201)
  t.match(await bulk(6), { status: 400, body: { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED' } })
  t.equal(proxy.logtrail.entries().length, 0)
})

t.test('without a session: requests and entries by address', async t => {
  const env = {
    ANONYMOUS: 'allow',
    TRUST_PROXY: 'loopback',
    RATE_LIMIT_ANONYMOUS_MAX: '3',
    RATE_LIMIT_ANONYMOUS_LOGS_MAX: '5'
  }
  const proxy = await startProxy(t, { env })
  const bulk = (length: number, from: string, user: string | null = null) =>
    proxy.post(
      Array.from({ length }, () => entry()),
      {
        path: '/logtrail/logs/bulk',
        user,
        headers: { 'x-forwarded-for': from }
      }
    )
  t.equal((await bulk(4, '192.0.2.1')).status, 201)
  is429(t, await bulk(2, '192.0.2.1'), 'RATE_LIMIT_ANONYMOUS_EXCEEDED', 5)
  t.equal((await bulk(1, '192.0.2.1')).status, 201)
  is429(t, await bulk(1, '192.0.2.1'), 'RATE_LIMIT_ANONYMOUS_EXCEEDED', 3)
  t.equal((await bulk(5, '192.0.2.2')).status, 201)
  t.equal((await bulk(20, '192.0.2.1', 'ada')).status, 201, 'who has a session is not held to it')
  t.match(await bulk(6, '192.0.2.3'), { status: 400, body: { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED' } })
  const invalid = await proxy.post(entry(), { user: null, headers: { cookie: 'session=forged' } })
  t.match(invalid, { status: 401, body: { error_code: 'SESSION_INVALID' } }, 'an invalid session is not anonymous')
})
