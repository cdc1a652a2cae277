import t from 'tap'
import { ENTRY, faultsOf, OPEN_ENTRY, reading } from './setup.js'

t.test('fields are masked by name at any depth, whatever they hold', async t => {
  const { single } = reading()
  const { entries, redacted, notes } = single({
    ...ENTRY,
    target: { password: 'x', PassWord: 1, 'pass-word': null, user_password: true },
    context: { accessToken: { a: [1] }, 'X-API-Key': [1, 2], tokens: 2, tokenCount: 3, business: 'ssn' },
    metadata: { list: [{ cookie: '' }, [{ ＳＥＣＲＥＴ: 'x', 'to\u200bken': 'x', sëcret: 'x' }]] }
  })
  const { target, context, metadata } = JSON.parse(entries[0]!)
  const masked = '[REDACTED]'
  t.same(target, { password: masked, PassWord: masked, 'pass-word': masked, user_password: masked })
  t.same(context, { accessToken: masked, 'X-API-Key': masked, tokens: 2, tokenCount: 3, business: 'ssn' })
  t.same(metadata, { list: [{ cookie: masked }, [{ ＳＥＣＲＥＴ: masked, 'to\u200bken': masked, sëcret: masked }]] })
  t.equal(redacted, 1, 'entries are counted, not fields')
  t.equal(notes.length, 10)
  t.match(notes[0], { deed: 'redacted', field: 'target.password' })
  t.match(notes[6], { field: 'metadata.list.0.cookie' })
})

t.test('a key in the name of a field is in no fault, also where entries are not masked', async t => {
  for (const key of ['lt_production_wo_T3stOnlyNeverIssued08', 'lt_development_wo_abc123']) {
    const { single, sent } = reading({ redactPatterns: [], redactFields: [] })
    const faults = faultsOf(() => single(`${OPEN_ENTRY},"metadata":{"${key}":{"a-${key}":{"__proto__":1}}}}`))
    t.match(faults, [/^metadata\.\[REDACTED\]\.a-\[REDACTED\]\.__proto__: must have/])
    const { notes } = single({ ...ENTRY, [key]: 1 })
    t.match(notes, [{ deed: 'removed', field: '[REDACTED]' }])
    t.same(sent({ ...ENTRY, metadata: { [key]: key } }).metadata, { [key]: key }, 'what was asked for is done')
  }
})

t.test('patterns are masked in every string, in names, and in card numbers without quotes', async t => {
  const { sent } = reading()
  const { action, message, tags, metadata } = sent({
    ...ENTRY,
    action: 'login token=abc',
    message: 'Bearer abc123',
    tags: ['a', '4111 1111 1111 1111', 'token=abc'],
    metadata: {
      before: 1,
      'token=abc': { lt_production_wo_abc: 1 },
      after: [{ '4111111111111111': 2 }],
      number: 4111111111111111,
      order: 4111111111111112,
      time: 1763935158123
    }
  })
  t.equal(action, 'login token=[REDACTED]')
  t.equal(message, 'Bearer [REDACTED]')
  t.same(tags, ['a', '[REDACTED]', 'token=[REDACTED]'])
  t.equal(
    JSON.stringify(metadata),
    '{"before":1,"token=[REDACTED]":{"[REDACTED]":1},"after":[{"[REDACTED]":2}],"number":"[REDACTED]","order":4111111111111112,"time":1763935158123}'
  )
})

t.test('names that become the same keep the last value', async t => {
  t.same(reading().sent({ ...ENTRY, metadata: { 'token=a': 1, b: 2, 'token=c': 3 } }).metadata, {
    'token=[REDACTED]': 3,
    b: 2
  })
})

t.test('a lone surrogate in a name or value is replaced, which is no redaction', async t => {
  const { single } = reading()
  const { entries, redacted } = single(
    `${OPEN_ENTRY},"message":"\\ud800","metadata":{"\\udfff":["\\ud83d","\\ud83d\\ude00"]}}`
  )
  const { message, metadata } = JSON.parse(entries[0]!)
  t.equal(message, '\ufffd')
  t.same(metadata, { '\ufffd': ['\ufffd', '\u{1f600}'] })
  t.equal(redacted, 0)
})

t.test('what is masked already is no redaction', async t => {
  const { single } = reading({ redactFields: ['message', 'password'], allowFields: ['password'] })
  const masked = { ...ENTRY, message: '[REDACTED]', metadata: { password: '[REDACTED]' }, password: '[REDACTED]' }
  t.equal(single(masked).redacted, 0)
})

t.test('Logtrail’s own fields are masked if named whole', async t => {
  const entry = {
    ...ENTRY,
    message: 'a',
    tags: ['a'],
    metadata: { a: 1 },
    context: { a: 1 },
    target: { data: 1, text: 2 }
  }
  const { sent, single } = reading({ redactFields: ['message', 'tags', 'Meta-Data', 'text', 'action', 'level'] })
  t.same(sent(entry), {
    ...ENTRY,
    message: '[REDACTED]',
    actor: { id: 'user_123' },
    target: { data: 1, text: '[REDACTED]' },
    context: { a: 1 }
  })
  t.same(
    single(entry).notes.map(({ field }) => field),
    ['message', 'target.text', 'metadata', 'tags']
  )
})

t.test('nothing is masked where nothing is asked for', async t => {
  const { sent } = reading({ redactFields: [], redactPatterns: [] })
  const metadata = { password: 'x', text: 'token=abc', card: 4111111111111111 }
  t.same(sent({ ...ENTRY, metadata }).metadata, metadata)
  t.same(reading({ redactFields: ['-_', ''] }).sent({ ...ENTRY, metadata: { a: 1 } }).metadata, { a: 1 })
})

t.test('many names do not wear out the memory of names', async t => {
  const { sent } = reading({ limits: { maxLogBytes: 1e6, maxDepth: 5, maxTags: 5 } })
  const names = Array.from({ length: 3000 }, (_, index) => `name${index % 1700}${index % 3 ? '' : 'Token'}`)
  for (let round = 0; round < 2; round++) {
    const { metadata } = sent({ ...ENTRY, metadata: Object.fromEntries(names.map(name => [name, 1])) })
    t.ok(names.every(name => metadata![name] === (name.endsWith('Token') ? '[REDACTED]' : 1)))
  }
  t.same(sent({ ...ENTRY, metadata: { [`${'x'.repeat(100)}Token`]: 1 } }).metadata, {
    [`${'x'.repeat(100)}Token`]: '[REDACTED]'
  })
})

t.test('notes are bounded', async t => {
  const fields = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`${index}token`, 1]))
  t.equal(
    reading().bulk([
      { ...ENTRY, metadata: fields },
      { ...ENTRY, metadata: fields }
    ]).notes.length,
    100
  )
})
