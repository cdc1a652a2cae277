/** What is remembered of a token: that it held, until it no longer does; that it did not, briefly; itself, never. */
import t from 'tap'
import type { Session } from '../../src/session/session.js'
import { createNoSessions } from '../../src/session/session.js'
import { bearer, claims, forge, HS256, honest, hs, jwtSessions, NOW, outcome, SECONDS, secret } from './forge.js'

function setUp(more: object = {}) {
  const clock = { time: NOW }
  const source = jwtSessions({ cookie: 's', key: { secret }, now: () => clock.time, ...more })
  return { clock, source }
}

t.test('the second time needs no promise', async t => {
  const { source } = setUp()
  const token = honest()
  t.ok(source.identify(bearer(token)) instanceof Promise)
  t.same(await source.identify(bearer(token)), { userId: 'ada', via: 'authorization' })
  t.same(source.identify(bearer(token)), { userId: 'ada', via: 'authorization' })
  t.same(source.identify({ cookie: `s=${token}` }), { userId: 'ada', via: 'cookie' }, 'and tells where it came from')
  const session = source.identify(bearer(token)) as Session
  session.userId = 'eve'
  t.same(source.identify(bearer(token)), { userId: 'ada', via: 'authorization' }, 'nobody can change what is known')
})

t.test('never beyond exp, give or take the skew', async t => {
  const { clock, source } = setUp()
  const token = honest({ exp: SECONDS + 60 })
  await source.identify(bearer(token))
  clock.time = NOW + 89_999
  t.same(source.identify(bearer(token)), { userId: 'ada', via: 'authorization' })
  clock.time = NOW + 90_000
  t.equal(await outcome(source, bearer(token)), 'SESSION_EXPIRED')
  t.equal(await outcome(source, bearer(token)), 'SESSION_EXPIRED')
})

t.test('the skew is a setting', async t => {
  const { clock, source } = setUp({ clockSkewMs: 0 })
  const token = honest({ exp: SECONDS + 1, nbf: SECONDS })
  t.same(await outcome(source, bearer(token)), { userId: 'ada', via: 'authorization' })
  clock.time = NOW + 1000
  t.equal(await outcome(source, bearer(token)), 'SESSION_EXPIRED')
  t.equal(await outcome(source, bearer(honest({ nbf: SECONDS + 2 }))), 'SESSION_INVALID')
})

t.test('too early is not remembered: it will be time', async t => {
  const { clock, source } = setUp()
  const token = honest({ nbf: SECONDS + 31 })
  t.equal(await outcome(source, bearer(token)), 'SESSION_INVALID')
  clock.time = NOW + 1000
  t.same(await outcome(source, bearer(token)), { userId: 'ada', via: 'authorization' })
})

t.test('a refusal is remembered for five seconds', async t => {
  const { clock, source } = setUp()
  const bad = forge(HS256, claims(), hs('x'.repeat(32)))
  t.equal(await outcome(source, bearer(bad)), 'SESSION_INVALID')
  t.throws(
    () => source.identify(bearer(bad)),
    { code: 'SESSION_INVALID', cause: /JWSSignatureVerificationFailed/ },
    'at once'
  )
  clock.time = NOW + 5_000
  const anew = source.identify(bearer(bad))
  t.ok(anew instanceof Promise, 'looked at anew')
  await t.rejects(anew as Promise<Session>, { code: 'SESSION_INVALID' })
})

t.test('a flood of bad tokens pushes out no good one', async t => {
  const { source } = setUp()
  const token = honest()
  await source.identify(bearer(token))
  const flood = Array.from({ length: 5_000 }, (_, i) => outcome(source, bearer(`${encodeURIComponent('a')}.${i}.b`)))
  t.same(new Set(await Promise.all(flood)), new Set(['SESSION_INVALID']))
  t.same(source.identify(bearer(token)), { userId: 'ada', via: 'authorization' }, 'still without a promise')
})

t.test('no sessions at all', async t => {
  const source = createNoSessions()
  t.equal(source.readsAuthorization, false)
  t.equal(source.identify(bearer(honest())), null)
  t.equal((await source.check()).ok, true)
  await source.close()
})
