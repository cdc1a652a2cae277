import t from 'tap'
import { depthOf, ENTRY, OPEN_ENTRY, reading, refused } from './setup.js'

const lists = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

t.test('absurd nesting is refused wherever it stands, and does no harm', async t => {
  const { single, bulk, sent } = reading({ allowFields: ['more'], dropFields: ['target.gone'] })
  for (const levels of [200, 10_000, 1_000_000]) {
    for (const deep of [lists(levels), objects(levels)]) {
      const bodies = [`${OPEN_ENTRY},"metadata":{"a":${deep}}}`]
      if (levels < 1_000_000) {
        bodies.push(
          `${OPEN_ENTRY},"actor":{"a":${deep}}}`,
          `${OPEN_ENTRY},"unknown":${deep}}`,
          `${OPEN_ENTRY},"more":${deep}}`,
          `${OPEN_ENTRY},"metadata":{"password":${deep}}}`,
          `${OPEN_ENTRY},"target":{"gone":${deep}}}`,
          `{"action":${deep}}`
        )
      }
      for (const body of bodies) {
        t.equal(refused(() => single(body)).code, 'VALIDATION_FAILED')
        t.equal(refused(() => bulk(`[${JSON.stringify(ENTRY)},${body}]`)).code, 'VALIDATION_FAILED')
      }
      t.equal(refused(() => single(deep)).code, 'VALIDATION_FAILED')
      t.equal(refused(() => bulk(deep)).code, 'VALIDATION_FAILED')
    }
  }
  t.ok(
    refused(() => single('['.repeat(1_000_000))),
    'never closed'
  )
  t.equal(sent(ENTRY).action, 'user.login', 'and the next is read as ever')
})

t.test('what looks like nesting within strings is none', async t => {
  const { sent } = reading()
  t.match(sent({ ...ENTRY, message: '[{"\\'.repeat(30_000) }).metadata, { _trimmed: Number })
  t.match(sent(`${OPEN_ENTRY},"message":"\\"${'['.repeat(20_001)}"}`).metadata, { _trimmed: Number })
})

t.test('depth up to the plan’s is left alone, up to the ceiling it is cut', async t => {
  const { sent, single } = reading()
  const at = (levels: number) => sent(`${OPEN_ENTRY},"metadata":${objects(levels)}}`).metadata
  t.equal(depthOf(at(5)), 5)
  t.notOk('_trimmed' in at(5)!)
  const before = JSON.stringify({ ...ENTRY, actor: { id: 'user_123' }, metadata: JSON.parse(objects(6)) }).length
  t.same(at(6), { a: { a: { a: { a: { a: '[object]' } } } }, _trimmed: before })
  t.equal(depthOf(at(100)), 5)
  t.match(refused(() => single(`${OPEN_ENTRY},"metadata":${objects(101)}}`)).faults, [
    { field: /^metadata\.a\.a/, message: 'must not be nested deeper than 100 levels' }
  ])
  t.same(sent(`${OPEN_ENTRY},"target":{"a":[[[[1]]],[[[[]]]]]}}`).target, { a: [[[[1]]], [[['[list]']]]] })
})

t.test('wide entries are read', async t => {
  const { sent, single } = reading()
  const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, index) => [`key${index}`, index]))
  t.match(sent({ ...ENTRY, metadata: wide }).metadata, { _trimmed: Number })
  t.match(sent({ ...ENTRY, metadata: { wide, list: Object.values(wide) } }).metadata, { _trimmed: Number })
  t.equal(single({ ...ENTRY, ...wide }).trimmed, 0, 'names at the top are left behind')
  t.equal(sent({ ...ENTRY, tags: Array(100_000).fill('a') }).tags?.length, 20)
})

t.test('names that change an object’s kind are refused in any spelling of JSON', async t => {
  const { single, bulk } = reading({ allowFields: ['more'] })
  const names = [
    '__proto__',
    '\\u005f\\u005fproto\\u005f_',
    '__prot\\u200bo__',
    '\\uff3f\\uff3fproto__',
    'constructor',
    'c\\u006fnstructor'
  ]
  for (const name of names) {
    const bodies = [
      `${OPEN_ENTRY},"${name}":{"x":1}}`,
      `${OPEN_ENTRY},"metadata":{"${name}":1}}`,
      `${OPEN_ENTRY},"metadata":{"a":[{"${name}":{}}]}}`,
      `${OPEN_ENTRY},"actor":{"${name}":{"id":"root"}}}`,
      `${OPEN_ENTRY},"unknown":{"a":[{"${name}":{}}]}}`,
      `${OPEN_ENTRY},"more":{"${name}":{}}}`,
      `${OPEN_ENTRY},"context":{"token":{"${name}":{}}}}`,
      `{"${name}":{"action":"a"}}`,
      `{"level":"info","metadata":{"${name}":1}}`
    ]
    for (const body of bodies) {
      const error = refused(() => single(body))
      t.equal(error.code, 'VALIDATION_FAILED', body)
      t.ok(error.faults?.some(({ message }) => /another name/.test(message)))
      t.equal(refused(() => bulk(`[${body}]`)).code, 'VALIDATION_FAILED')
    }
  }
  t.match(refused(() => single(`${OPEN_ENTRY},"metadata":{"a":{"__proto__":1}}}`)).faults, [
    { field: 'metadata.a.__proto__', message: /another name/ }
  ])
  t.equal(({} as Record<string, unknown>).x, undefined)
})

t.test('a fault names its field shortly, without secrets or control characters', async t => {
  const { single } = reading()
  const field = (name: string) =>
    refused(() => single(`${OPEN_ENTRY},"metadata":{${JSON.stringify(name)}:{"__proto__":1}}}`)).faults![0]!.field
  t.equal(field('token=hunter2'), 'metadata.token=[REDACTED].__proto__')
  t.equal(field('a\u0000\u202eb\n'), 'metadata.a\ufffdb\ufffd.__proto__')
  t.equal(field('x'.repeat(5000)), `metadata.${'x'.repeat(48)}….__proto__`)
  t.ok(field('"'.repeat(48)).length < 250)
  const deep = refused(() =>
    single(`${OPEN_ENTRY},"metadata":${`{"${'y'.repeat(40)}":`.repeat(50)}{"__proto__":1}${'}'.repeat(51)}`)
  )
  t.ok(deep.faults![0]!.field.length <= 201)
})
