import t, { type Test } from 'tap'
import { HttpError } from '../../src/errors.js'
import { decodeCookie, findCookie } from '../../src/session/cookies.js'
import { forge, HS256, honest, jwtSessions, outcome, secret } from './forge.js'

const value = (header: string, name = 'session') => findCookie(header, name)?.value ?? null
const refused = (t: Test, header: string, why: RegExp, name = 'session') => {
  try {
    findCookie(header, name)
    t.fail(`took ${header}`)
  } catch (error) {
    t.ok(error instanceof HttpError && error.code === 'SESSION_INVALID')
    t.match((error as Error).cause, why, header)
  }
}

t.test('one cookie among others', async t => {
  t.equal(value('session=a'), 'a')
  t.equal(value('x=1; session=a; y=2'), 'a')
  t.equal(value('x=1;session=a;y=2'), 'a', 'without spaces')
  t.equal(value('x=1;\t session = a'), null, 'a name may not be followed by a space')
  t.equal(value('x=1; session= a ; y'), 'a', 'spaces around the value')
  t.equal(value('session="a"'), 'a', 'quoted')
  t.equal(value('session="a'), '"a', 'half quoted is not quoted')
  t.equal(value('session="'), '"')
  t.equal(value('session=a=b=='), 'a=b==')
  t.equal(value('__Host-session=a', '__Host-session'), 'a')
  t.equal(value('connect.sid=a', 'connect.sid'), 'a', 'a dot in the name is a dot')
})

t.test('none', async t => {
  for (const header of [
    '',
    ';',
    '; ;',
    'x=1',
    'session',
    'session=',
    'session=""',
    'Session=a',
    'mysession=a',
    'session2=a',
    'session_id=a',
    'session.sig=a',
    'session_00=a',
    'session.0',
    'session.0; x=1',
    'session.0=',
    'x=session=a'
  ]) {
    t.equal(value(header), null, header)
  }
})

t.test('in chunks, in any order', async t => {
  t.equal(value('session.1=b; session.0=a; session.2=c'), 'abc')
  t.equal(value('session_0=a; session_1=b'), 'ab')
  t.equal(value('session=; session.0=a'), 'a', 'an empty whole one is a leftover')
  t.equal(value('session.0=a; session.0=a'), 'a')
  t.equal(value(Array.from({ length: 32 }, (_, i) => `session.${i}=${i % 10}`).join('; '))?.length, 32)
  t.same(findCookie('x=1; session.1=b ; session.0="a"', 'session'), {
    value: 'ab',
    pairs: ['session.0="a"', 'session.1=b']
  })
  t.same(findCookie('x=1; session= a ', 'session'), { value: 'a', pairs: ['session= a'] })
})

t.test('whoever is asked for twice is asked for in vain', async t => {
  refused(t, 'session=a; session=b', /differ/)
  refused(t, 'session=a; session=', /differ/)
  t.equal(value('session=a; session=a'), 'a', 'twice the same is no question')
  refused(t, 'session.0=a; session.0=b', /differ/)
  refused(t, 'session=a; session.0=a', /whole and in chunks/)
  refused(t, 'session.0=a; session_1=b', /two spellings/)
  refused(t, 'session.0=a; session.2=c', /missing/)
  refused(t, 'session.1=b', /missing/)
  refused(t, 'session.32=x', /too many/)
  refused(t, 'session.99999999999999999999=x', /too many/)
})

t.test('percent-encoding', async t => {
  t.equal(decodeCookie('a.b'), 'a.b')
  t.equal(decodeCookie('s%3Aa%2Fb'), 's:a/b')
  t.throws(() => decodeCookie('%zz'), { code: 'SESSION_INVALID' })
  t.throws(() => decodeCookie('%ff'), { code: 'SESSION_INVALID' }, 'no UTF-8')
})

t.test('as sessions', async t => {
  const source = jwtSessions({ key: { secret } })
  const token = honest()
  const ada = { userId: 'ada', via: 'cookie' }
  t.same(await outcome(source, { cookie: `a=b; session=${token}` }), ada)
  t.same(await outcome(source, { cookie: `session="${token}"` }), ada)
  t.same(await outcome(source, { cookie: `session=${token.replaceAll('.', '%2E')}` }), ada)
  t.same(await outcome(source, { cookie: `session.0=${token.slice(0, 50)}; session.1=${token.slice(50)}` }), ada)
  t.equal(
    await outcome(source, { cookie: `session=${token}; session=${forge(HS256, { sub: 'eve' })}` }),
    'SESSION_INVALID'
  )
  t.equal(await outcome(source, { cookie: 'session=%' }), 'SESSION_INVALID')
  t.equal(await outcome(source, { cookie: 'other=1' }), null)
  t.equal(await outcome(source, {}), null)
})
