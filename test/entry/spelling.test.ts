/**
 * A browser must not write another user's `actor.id`, another environment or a dropped field in any spelling that Logtrail
 * could read as one. What Logtrail's parser folds is not documented, so every folding found in common ones is tried: the last of
 * duplicate keys, case, compatibility forms, invisible characters, accents, separators, dots.
 */
import t from 'tap'
import { ruleFaults } from '../../src/entry/rule-faults.js'
import { ENTRY, OPEN_ENTRY, reading, refused, WHO } from './setup.js'

const SPELLINGS: ((name: string) => string)[] = [
  name => name.toUpperCase(),
  name => name[0]!.toUpperCase() + name.slice(1),
  name => name.replace(/[a-z]/g, letter => String.fromCodePoint(letter.charCodeAt(0) + 0xfee0)), // fullwidth
  name => name.replace(/[a-z]/g, letter => String.fromCodePoint(letter.charCodeAt(0) + 0x1d400 - 0x61 + 26)), // mathematical bold
  name => name.replace('i', '\u0131'), // dotless, whose capital is I
  name => name.replace('i', '\u0130'), // dotted capital
  name => name.replace(/[a-z]/, letter => `${letter}\u0301`), // accented
  name => `${name}\u200b`,
  name => `\ufeff${name}`,
  name => `${name[0]}\u00ad${name.slice(1)}`,
  name => `${name[0]}\u2060\u200d${name.slice(1)}`,
  name => `${name}\u0000`,
  name => ` ${name}\t`,
  name => `${name}\u00a0`,
  name => `_${name}`,
  name => `${name[0]}-${name.slice(1)}`,
  name => `${name}\ufe0f`,
  name => `${name}\u{e0041}`
]

t.test('nobody else’s actor.id', async t => {
  for (const spell of SPELLINGS) {
    const claimed = { [spell('id')]: 'root', name: 'Ada' }
    t.same(reading().sent({ ...ENTRY, actor: claimed }).actor, { id: 'user_123' })
    t.same(
      reading({ stampActor: 'merge' }).sent({ ...ENTRY, actor: claimed }).actor,
      { id: 'user_123', name: 'Ada' },
      spell('id')
    )
    const beside = reading({ stampActor: 'merge', allowFields: [spell('actor'), spell('actor.id')] })
    const { actor, ...rest } = beside.sent({ ...ENTRY, [spell('actor')]: { id: 'root' }, [spell('actor.id')]: 'root' })
    t.match(actor, { id: 'user_123' })
    t.notMatch(JSON.stringify(rest), /root/, spell('actor'))
  }
  const merge = reading({ stampActor: 'merge' })
  t.same(
    merge.sent(`${OPEN_ENTRY},"actor":{"id":"a","id":"root"},"actor":{"id":"root","Id":"root","id.x":"root"}}`).actor,
    {
      id: 'user_123'
    }
  )
  t.same(merge.sent({ ...ENTRY, 'actor.id': 'root', actor: { user: { id: 7 } } }).actor, {
    id: 'user_123',
    user: { id: 7 }
  })
})

t.test('no other environment', async t => {
  for (const allowFields of [[], ['Environment', 'ENVIRONMENT', 'environment\u200b']]) {
    const { sent } = reading({ allowFields })
    for (const spell of SPELLINGS) t.notMatch(sent({ ...ENTRY, [spell('environment')]: 'staging' }), /staging/)
  }
  t.equal(reading().sent(`${OPEN_ENTRY},"environment":"staging","environment":"production"}`).environment, 'production')
  t.throws(() => reading().single(`${OPEN_ENTRY},"environment":"production","environment":"staging"}`))
})

t.test('nothing that is to be dropped', async t => {
  const { sent, single } = reading({
    dropFields: ['metadata.user.email', 'Context.Headers', 'target', 'tags', 'metadata.items.price'],
    stampActor: 'off'
  })
  for (const spell of SPELLINGS) {
    const { metadata, context } = sent({
      ...ENTRY,
      metadata: { [spell('user')]: { [spell('email')]: 'S3cret', name: 'Ada' }, [spell('user.email')]: 'S3cret' },
      context: { [spell('headers')]: { a: 'S3cret' }, page: '/' }
    })
    t.notMatch(JSON.stringify([metadata, context]), /S3cret/, spell('email'))
    t.equal(context?.page, '/')
  }
  const { entries, notes } = single({
    ...ENTRY,
    target: { id: 1 },
    tags: ['a'],
    metadata: {
      items: [{ price: 1, n: 2 }, [{ price: 3 }]],
      'user.email.x': 1,
      user: { 'email.y': 2, mail: 3 },
      'user.': { email: 4 }
    }
  })
  const { target, tags, metadata } = JSON.parse(entries[0]!)
  t.same([target, tags], [undefined, undefined])
  t.same(metadata, { items: [{ n: 2 }, [{}]], user: { mail: 3 }, 'user.': { email: 4 } })
  t.match(
    notes.map(({ deed, field }) => `${deed} ${field}`),
    [
      'dropped target',
      'dropped metadata.items.0.price',
      'dropped metadata.items.1.0.price',
      /dropped/,
      /dropped/,
      'dropped tags'
    ]
  )
})

t.test('a number in a path is the place of an element of a list, or a name', async t => {
  const metadataOf = (dropFields: string[], metadata: object) => {
    const { entries, notes } = reading({ dropFields }).single({ ...ENTRY, metadata })
    return [JSON.parse(entries[0]!).metadata, notes.map(({ field }) => field)]
  }
  const items = () => [{ price: 1, n: 2 }, { price: 3, tax: 4, n: 5 }, 'x', { 1: 6, n: 7 }]
  t.same(metadataOf(['metadata.items.1.price'], { items: items() }), [
    { items: [{ price: 1, n: 2 }, { tax: 4, n: 5 }, 'x', { 1: 6, n: 7 }] },
    ['metadata.items.1.price']
  ])
  t.same(metadataOf(['metadata.items.1', 'metadata.items.2'], { items: items() }), [
    { items: [{ price: 1, n: 2 }, { n: 7 }] },
    ['metadata.items.1', 'metadata.items.2', 'metadata.items.3.1']
  ])
  const more = ['metadata.items.price', 'metadata.items.1.tax', 'metadata.items.price.x', 'metadata.items.1.price.y']
  t.same(metadataOf(more, { items: items() })[0], { items: [{ n: 2 }, { n: 5 }, 'x', { 1: 6, n: 7 }] })
  const nested = {
    m: [
      [1, { a: 2, b: 3 }],
      [4, { a: 5, b: 6 }]
    ]
  }
  t.same(metadataOf(['metadata.m.1.1.a', 'metadata.m.b'], nested)[0], {
    m: [
      [1, { a: 2 }],
      [4, {}]
    ]
  })
  const both = { items: [{ a: { x: 1, y: 2 } }, { a: { x: 3, y: 4 } }] }
  t.same(metadataOf(['metadata.items.a.x', 'metadata.items.1.a.y'], both)[0], { items: [{ a: { y: 2 } }, { a: {} }] })
  t.same(metadataOf(['metadata.items.0'], { items: { 0: 'a', 1: 'b' } })[0], { items: { 1: 'b' } })
  t.same(metadataOf(['metadata.items.0', 'metadata.items.5'], { items: ['a'] })[0], { items: [] })
  t.same(reading({ dropFields: ['tags.0'] }).sent({ ...ENTRY, tags: ['a', 'b'] }).tags, ['b'])
  t.match(
    refused(() => reading({ dropFields: ['metadata.0'] }).single(`${OPEN_ENTRY},"metadata":{"0":[{"__proto__":1}]}}`))
      .faults,
    [{ field: 'metadata.0.0.__proto__' }],
    'what is dropped is checked'
  )
  t.match(
    refused(() => reading({ dropFields: ['metadata.a.0'] }).single(`${OPEN_ENTRY},"metadata":{"a":[{"__proto__":1}]}}`))
      .faults,
    [{ field: 'metadata.a.0.__proto__' }]
  )
})

t.test(
  'DROP_FIELDS holds for what browsers send; the session’s user is still stamped, and what Logtrail requires stays',
  async t => {
    const { sent } = reading({ dropFields: ['actor', 'action', 'level', 'clientTimestamp', 'message', 'environment'] })
    t.same(sent({ ...ENTRY, message: 'a', environment: 'production', actor: { name: 'Ada' } }), {
      ...ENTRY,
      actor: { id: 'user_123' }
    })
  }
)

t.test('lists of names that cannot be meant are found at the start', async t => {
  t.same(
    ruleFaults({ allowFields: ['is_public', 'trace'], dropFields: ['metadata.user', 'actor', 'tags', 'environment'] }),
    []
  )
  const faults = ruleFaults({
    allowFields: ['Actor', 'client_timestamp', 'metadata.a', 'ok'],
    dropFields: ['action', 'LEVEL', 'metadata..x', '', 'client-timestamp', 'metadata.items.*.price']
  })
  t.same(
    faults.map(({ variable, message }) => [variable, message.split('`')[1]]),
    [
      ['ALLOW_FIELDS', 'Actor'],
      ['ALLOW_FIELDS', 'client_timestamp'],
      ['ALLOW_FIELDS', 'metadata.a'],
      ['DROP_FIELDS', 'action'],
      ['DROP_FIELDS', 'LEVEL'],
      ['DROP_FIELDS', 'metadata..x'],
      ['DROP_FIELDS', ''],
      ['DROP_FIELDS', 'client-timestamp'],
      ['DROP_FIELDS', 'metadata.items.*.price']
    ]
  )
})

t.test('names too long to be sent are not sent', async t => {
  const { sent } = reading({ stampActor: 'merge', dropFields: ['metadata.a'] })
  const padded = (name: string) => name + '\u200b'.repeat(3000)
  const { actor, metadata } = sent({
    ...ENTRY,
    actor: { [padded('id')]: 'root' },
    metadata: { [padded('a')]: 1, b: 2 }
  })
  t.same(actor, { id: WHO.userId })
  t.match(metadata, { b: 2, _trimmed: Number })
  t.equal(Object.keys(metadata!).length, 2)
})

t.test('a dotted name leads on to what is below it', async t => {
  const { sent } = reading({ dropFields: ['metadata.a.b.c'] })
  const metadata = { 'a.b': { c: 1, d: 2 }, 'a.b.c': 3, 'a.x': 4 }
  t.same(sent({ ...ENTRY, metadata }).metadata, { 'a.b': { d: 2 }, 'a.x': 4 })
})
