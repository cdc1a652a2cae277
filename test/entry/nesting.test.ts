import t from 'tap'
import { depthOf, ENTRY, OPEN_ENTRY, RULES, reading, refused } from './setup.js'

const lists = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`

const DEEP: readonly ((deep: string) => string)[] = [
  deep => `${OPEN_ENTRY},"metadata":{"a":${deep}}}`,
  deep => `${OPEN_ENTRY},"actor":{"a":${deep}}}`,
  deep => `${OPEN_ENTRY},"unknown":${deep}}`,
  deep => `${OPEN_ENTRY},"more":${deep}}`,
  deep => `${OPEN_ENTRY},"metadata":{"password":${deep}}}`,
  deep => `${OPEN_ENTRY},"target":{"gone":${deep}}}`
]
const RULES_OF_DEEP = { allowFields: ['more'], dropFields: ['target.gone'] }
const REFUSED_DEPTH = { code: 'VALIDATION_FAILED', faults: [{ message: 'must not be nested deeper than 100 levels' }] }

t.test('nesting beyond all use does no harm: it is cut, or refused, as OVERSIZE says', async t => {
  const { single, bulk, sent } = reading(RULES_OF_DEEP)
  const strict = reading({ ...RULES_OF_DEEP, oversize: 'reject' })
  for (const levels of [100, 101, 200, 9997]) {
    for (const deep of [lists(levels), objects(levels), `[1,${lists(levels)},2]`]) {
      for (const make of DEEP) {
        const body = make(deep)
        const { entries, trimmed } = single(body)
        t.ok(entries[0]!.length <= 2048, body.slice(0, 120))
        t.equal(
          trimmed,
          /"metadata":{"a"|"more"/.test(body) && body !== DEEP[3]!(objects(100)) && body !== DEEP[3]!(lists(100))
            ? 1
            : 0
        )
        t.equal(bulk(`[${JSON.stringify(ENTRY)},${body}]`).entries.length, 2)
        if (levels > 100)
          t.match(
            refused(() => strict.single(body)),
            REFUSED_DEPTH
          )
      }
      t.equal(refused(() => single(`{"action":${deep}}`)).code, 'VALIDATION_FAILED')
      t.equal(
        refused(() => single(`{"action":${deep}}`)).faults?.length,
        3,
        'what is not its own place says nothing of depth'
      )
    }
  }
  t.equal(sent(ENTRY).action, 'user.login', 'and the next is read as ever')
})

t.test('nesting that costs the parser itself is refused in any case, wherever it stands', async t => {
  const { single, bulk, sent } = reading(RULES_OF_DEEP)
  for (const levels of [10_001, 1_000_000]) {
    for (const deep of [lists(levels), objects(levels)]) {
      for (const make of levels < 1_000_000 ? DEEP : DEEP.slice(0, 1)) {
        t.equal(refused(() => single(make(deep))).code, 'VALIDATION_FAILED')
        t.equal(refused(() => bulk(`[${JSON.stringify(ENTRY)},${make(deep)}]`)).code, 'VALIDATION_FAILED')
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

t.test('the mark tells the bytes that there were before, of what was too deep to walk as well', async t => {
  const { sent } = reading({ allowFields: ['more'] })
  const inner = '{"a":[1,-0.5,1e+21,"é\\u0001",{},[],{"b":null,"c":true}],"ü":{"d":[[["x"]]]}}'
  for (const deep of [inner, lists(5), `[${inner},${inner}]`]) {
    for (const name of ['metadata', 'more']) {
      const value = `${'{"a":'.repeat(101)}${deep}${'}'.repeat(101)}`
      const before = Buffer.byteLength(`${OPEN_ENTRY},"actor":{"id":"user_123"},"${name}":${value}}`)
      t.equal(sent(`${OPEN_ENTRY},"${name}":${value}}`).metadata?._trimmed, before, `${name}: ${deep}`)
    }
  }
})

t.test('a field that the schema does not name is as deep as it likes, as far as it is walked', async t => {
  const { single, sent } = reading({ allowFields: ['more'] })
  const more = (levels: number) => sent(`${OPEN_ENTRY},"more":${objects(levels)},"target":{"a":1}}`)
  t.equal(JSON.stringify(more(100).more), objects(100))
  t.notOk(more(100).metadata)
  t.equal(JSON.stringify(more(101).more), objects(101).replace('{"a":1}', '"[object]"'))
  t.match(more(101).metadata, { _trimmed: Number })
  const { notes } = single(`${OPEN_ENTRY},"more":${objects(101)}}`)
  t.match(notes, [{ deed: 'trimmed', field: /^more\.a\.a/ }])
  t.equal(notes.length, 1)
  const secret = sent(`${OPEN_ENTRY},"more":${objects(50).replace('1', '{"token":"x"}')}}`).more
  t.equal(JSON.stringify(secret), objects(50).replace('1', '{"token":"[REDACTED]"}'))
  const strict = reading({ allowFields: ['more'], oversize: 'reject' })
  t.equal(JSON.stringify(strict.sent(`${OPEN_ENTRY},"more":${objects(100)}}`).more), objects(100))
  t.match(
    refused(() => strict.single(`${OPEN_ENTRY},"more":${objects(101)}}`)),
    REFUSED_DEPTH
  )
  const deepest = reading({ limits: { ...RULES.limits, maxDepth: 100 } }).single(
    `${OPEN_ENTRY},"target":${objects(101)}}`
  )
  t.match(deepest.notes, [{ deed: 'trimmed', field: /^target\.a\.a/ }])
})

t.test('a name that is refused is found at any depth', async t => {
  const { single } = reading({ ...RULES_OF_DEEP })
  for (const levels of [101, 150, 9000]) {
    const deep = `${'{"b":['.repeat(levels / 2)}{"a":1,"constructor":{"__proto__":1}}${']}'.repeat(levels / 2)}`
    for (const make of DEEP) {
      const { code, faults } = refused(() => single(make(deep)))
      t.equal(code, 'VALIDATION_FAILED')
      t.match(faults, [{ message: /another name/ }])
      t.equal(faults?.length, 1)
    }
  }
})

t.test('what looks like nesting within strings is none', async t => {
  const { sent } = reading()
  t.match(sent({ ...ENTRY, message: '[{"\\'.repeat(30_000) }).metadata, { _trimmed: Number })
  t.match(sent(`${OPEN_ENTRY},"message":"\\"${'['.repeat(20_001)}"}`).metadata, { _trimmed: Number })
})

t.test('depth up to the plan’s is left alone, more is cut', async t => {
  const { sent } = reading()
  const at = (levels: number) => sent(`${OPEN_ENTRY},"metadata":${objects(levels)}}`).metadata
  t.equal(depthOf(at(5)), 5)
  t.notOk('_trimmed' in at(5)!)
  const before = JSON.stringify({ ...ENTRY, actor: { id: 'user_123' }, metadata: JSON.parse(objects(6)) }).length
  t.same(at(6), { a: { a: { a: { a: { a: '[object]' } } } }, _trimmed: before })
  for (const levels of [100, 101, 102, 9000]) {
    const { _trimmed, ...cut } = at(levels)!
    t.same(cut, { a: { a: { a: { a: { a: '[object]' } } } } })
    t.equal(_trimmed, before + 6 * (levels - 6))
  }
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
