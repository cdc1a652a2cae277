import t from 'tap'
import { createPathReader, toUserId } from '../../src/session/user-id.js'

t.test('what a user id may be', async t => {
  for (const id of ['a', 'a'.repeat(256), 'Zoë', '用户', 'auth0|5f7c', 'ada@example.org', '-', '🙂'])
    t.equal(toUserId(id), id)
  t.equal(toUserId(42), '42')
  t.equal(toUserId(0), '0')
  t.equal(toUserId(-7), '-7')
  for (const id of [
    '',
    'a'.repeat(257),
    'a\n',
    '\u0085',
    '\u007f',
    '\ud83d',
    1.5,
    2 ** 53,
    Number.NaN,
    Infinity,
    null
  ]) {
    t.equal(toUserId(id), undefined, JSON.stringify(id))
  }
  for (const id of [undefined, true, {}, [], ['a'], { toString: () => 'a' }]) t.equal(toUserId(id), undefined)
})

t.test('where it stands', async t => {
  t.equal(createPathReader('sub')({ sub: 'a' }), 'a')
  t.equal(createPathReader('passport.user')({ passport: { user: 7 } }), 7)
  t.equal(
    createPathReader('https://app.test/user_id')({ 'https://app.test/user_id': 'a' }),
    'a',
    'a claim with dots in it'
  )
  t.equal(createPathReader('a.b')({ 'a.b': 1, a: { b: 2 } }), 1, 'a whole name goes first')
  t.equal(createPathReader('a.b.c')({ a: { b: { c: 0 } } }), 0)
})

t.test('where it does not', async t => {
  for (const data of [null, undefined, 'sub', 7, [], ['sub'], { other: 1 }, Object.create({ sub: 'inherited' })]) {
    t.equal(createPathReader('sub')(data), undefined)
  }
  t.equal(createPathReader('constructor')({}), undefined)
  t.equal(createPathReader('constructor.name')({}), undefined)
  t.equal(createPathReader('toString.length')({}), undefined)
  t.equal(createPathReader('a.length')({ a: 'text' }), undefined)
  t.equal(createPathReader('a.0')({ a: ['x'] }), undefined, 'lists have no members')
  t.equal(createPathReader('a.b')({ a: null }), undefined)
  t.equal(createPathReader('a..b')({ a: { b: 1 } }), undefined)
})

t.test('paths that are none', async t => {
  for (const path of ['', 'a b', 'a\n', '__proto__', 'a.__proto__.b']) t.throws(() => createPathReader(path), path)
})
