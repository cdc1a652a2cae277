import t from 'tap'
import { MAX_FAULTS } from '../../src/errors.js'
import { ENTRY, faultsOf, NOBODY, OPEN_ENTRY, reading, refused, WHO } from './setup.js'

const { single, bulk, sent } = reading()

t.test('one entry is sent as one', async t => {
  t.same(single(ENTRY), {
    received: 1,
    entries: [JSON.stringify({ ...ENTRY, actor: { id: 'user_123' } })],
    filtered: 0,
    trimmed: 0,
    redacted: 0,
    notes: []
  })
})

t.test('a list is sent in its order', async t => {
  const { received, entries } = bulk([ENTRY, { ...ENTRY, action: 'b' }, { ...ENTRY, action: 'c' }])
  t.equal(received, 3)
  t.same(
    entries.map(json => JSON.parse(json).action),
    ['user.login', 'b', 'c']
  )
})

t.test('every field Logtrail names goes through, in one order', async t => {
  const whole = {
    ...ENTRY,
    message: 'in',
    environment: 'production',
    actor: { id: 'user_123' },
    target: { type: 'page', list: [1, null, true, { a: 0.5 }] },
    context: { locale: 'en' },
    metadata: { empty: {}, none: [] },
    tags: ['a', 'b']
  }
  const backwards = Object.fromEntries(Object.entries(whole).reverse())
  t.equal(single(backwards).entries[0], JSON.stringify(whole))
})

t.test('bytes that are no UTF-8 JSON', async t => {
  const code = (body: unknown) => refused(() => single(body)).code
  for (const body of ['', ' ', '\n\t\r ', '\ufeff', '\ufeff \n'])
    t.equal(code(Buffer.from(body)), 'VALIDATION_EMPTY_BODY')
  for (const body of [
    '{',
    '{"a":1,}',
    "{'a':1}",
    'undefined',
    '{"a":NaN}',
    '{} {}',
    '\u00a0{}',
    '{"a":"\n"}',
    '\u0000'
  ]) {
    t.equal(code(Buffer.from(body)), 'VALIDATION_INVALID_JSON', body)
  }
  const json = JSON.stringify({ ...ENTRY, message: '~' })
  for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80], [0xc3], [0xe2, 0x82]]) {
    const body = Buffer.concat(
      json.split('~').flatMap((part, at) => (at ? [Buffer.from(bytes), Buffer.from(part)] : [Buffer.from(part)]))
    )
    t.equal(code(body), 'VALIDATION_INVALID_JSON', bytes.join(' '))
  }
  t.equal(code(Buffer.from(json, 'utf16le')), 'VALIDATION_INVALID_JSON')
  t.equal(refused(() => single('{')).received, 0)
})

t.test('one byte order mark is passed over', async t => {
  t.equal(sent(`\ufeff${JSON.stringify(ENTRY)}`).action, 'user.login')
  t.equal(refused(() => single(`\ufeff\ufeff${JSON.stringify(ENTRY)}`)).code, 'VALIDATION_INVALID_JSON')
})

t.test('each route takes its own kind', async t => {
  for (const body of ['[]', '[{}]', 'null', '1', '"a"', 'true']) {
    const error = refused(() => single(body))
    t.equal(error.code, 'VALIDATION_FAILED')
    t.same(error.faults, [
      { log_index: null, field: 'body', message: 'must be one entry, a JSON object; lists go to the bulk route' }
    ])
  }
  for (const body of ['{}', 'null', '1', '"a"']) {
    t.match(
      faultsOf(() => bulk(body)),
      ['body: must be a list of entries, a JSON array; one entry alone goes to the other route']
    )
  }
  t.same(
    faultsOf(() => bulk('[]')),
    ['body: must hold at least one entry']
  )
})

t.test('each field at fault is named, with what is right', async t => {
  t.same(
    refused(() => single({})).faults?.map(({ log_index, field }) => [log_index, field]),
    [
      [null, 'action'],
      [null, 'level'],
      [null, 'clientTimestamp']
    ]
  )
  const wrong: [string, unknown, RegExp][] = [
    ['action', '', /not empty/],
    ['action', 1, /string/],
    ['level', 'warning', /trace, debug, info, warn, error, fatal/],
    ['level', 'INFO', /trace/],
    ['clientTimestamp', '2026-11-23', /RFC 3339/],
    ['message', null, /string/],
    ['environment', 7, /production/],
    ['actor', 'ada', /object/],
    ['target', [], /object/],
    ['context', null, /object/],
    ['metadata', 1, /object/],
    ['tags', 'a', /list of strings/],
    ['tags', ['a', 1], /list of strings/],
    ['tags', { 0: 'a' }, /list of strings/]
  ]
  for (const [field, value, message] of wrong) {
    const error = refused(() => single({ ...ENTRY, [field]: value }))
    t.equal(error.code, 'VALIDATION_FAILED')
    t.match(error.faults, [{ log_index: null, field, message }], `${field} ${JSON.stringify(value)}`)
    t.equal(error.faults?.length, 1)
  }
})

t.test('faults name the entry, never what it said', async t => {
  const error = refused(() =>
    bulk([ENTRY, { ...ENTRY, level: 'hunter2' }, 3, { ...ENTRY, metadata: 'hunter2', message: 7 }])
  )
  t.equal(error.received, 4)
  t.same(
    error.faults?.map(({ log_index, field }) => [log_index, field]),
    [
      [1, 'level'],
      [2, 'entry'],
      [3, 'message'],
      [3, 'metadata']
    ]
  )
  t.notMatch(JSON.stringify(error.faults) + error.message, /hunter2/)
})

t.test('a flood of faults is cut, and what was received is still known', async t => {
  const error = refused(() => reading({ maxEntries: Number.POSITIVE_INFINITY }).bulk(`[${'{},'.repeat(50_000)}{}]`))
  t.equal(error.received, 50_001)
  t.equal(error.faults?.length, MAX_FAULTS + 1)
})

t.test('the length of a list', async t => {
  const { bulk } = reading({ maxEntries: 3 })
  t.equal(bulk([ENTRY, ENTRY, ENTRY]).received, 3)
  const error = refused(() => bulk([ENTRY, ENTRY, ENTRY, 1]))
  t.equal(error.code, 'VALIDATION_BULK_LIMIT_EXCEEDED')
  t.equal(error.received, 4)
  t.match(error.message, /at most 3/)
})

t.test('the environment is the key’s, or left out', async t => {
  t.equal(sent({ ...ENTRY, environment: 'production' }).environment, 'production')
  t.notOk('environment' in sent(ENTRY))
  for (const environment of ['staging', 'development', 'Production', 'production ', '', 'prod']) {
    const error = refused(() => single({ ...ENTRY, environment }))
    t.equal(error.code, 'VALIDATION_INVALID_ENVIRONMENT', environment)
    t.match(error.faults, [{ log_index: null, field: 'environment', message: /production/ }])
  }
  const only = refused(() => bulk([ENTRY, { ...ENTRY, environment: 'staging' }, { ...ENTRY, environment: 'staging' }]))
  t.equal(only.code, 'VALIDATION_INVALID_ENVIRONMENT')
  t.same(
    only.faults?.map(({ log_index }) => log_index),
    [1, 2]
  )
  const mixed = refused(() => bulk([{ ...ENTRY, environment: 'staging' }, {}]))
  t.equal(mixed.code, 'VALIDATION_FAILED')
  t.equal(mixed.faults?.length, 4)
})

t.test('that the environment alone is wrong is never said where more is known to be, listed or not', async t => {
  const staging = { ...ENTRY, environment: 'staging' }
  const beside = (...last: unknown[]) => refused(() => bulk([...Array(100).fill(staging), ...last]))
  t.equal(beside(staging).code, 'VALIDATION_INVALID_ENVIRONMENT')
  t.equal(beside(staging).faults?.length, 101)
  t.equal(beside({ ...staging, action: '' }).code, 'VALIDATION_FAILED', 'a fault before it in the list')
  t.equal(beside(JSON.parse(`${JSON.stringify(staging).slice(0, -1)},"__proto__":1}`)).code, 'VALIDATION_FAILED')
  const nested = refused(() =>
    bulk(
      `[${`${JSON.stringify(staging)},`.repeat(100)}${OPEN_ENTRY},"environment":"staging","target":{"__proto__":1}}]`
    )
  )
  t.equal(nested.code, 'VALIDATION_FAILED', 'and behind it')
  t.equal(refused(() => single({ ...ENTRY, environment: 1 })).code, 'VALIDATION_FAILED', 'which is no environment')
})

t.test('timestamps are those of RFC 3339', async t => {
  const good = [
    '2026-11-23T21:59:18Z',
    '2026-11-23t21:59:18z',
    '2026-11-23T21:59:18.1Z',
    '2026-11-23T21:59:18.123456789Z',
    '2026-11-23T21:59:18+02:00',
    '2026-11-23T21:59:18.5-23:59',
    '2024-02-29T00:00:00Z',
    '2000-02-29T00:00:00Z',
    '2016-12-31T23:59:60Z',
    '0000-01-01T00:00:00Z'
  ]
  for (const clientTimestamp of good) t.equal(sent({ ...ENTRY, clientTimestamp }).clientTimestamp, clientTimestamp)
  const bad = [
    '',
    'now',
    '2026-11-23T21:59:18',
    '2026-11-23 21:59:18Z',
    '2026-11-23T21:59Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-04-31T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-02-29T00:00:00Z',
    '1900-02-29T00:00:00Z',
    '2026-11-23T24:00:00Z',
    '2026-11-23T21:60:00Z',
    '2026-11-23T21:59:61Z',
    '2026-11-23T21:59:18.Z',
    '2026-11-23T21:59:18.123',
    '2026-11-23T21:59:18.1x',
    '2026-11-23T21:59:18ZZ',
    '2026-11-23T21:59:18+0200',
    '2026-11-23T21:59:18+24:00',
    '2026-11-23T21:59:18+02:60',
    '2026-11-23T21:59:18+02:0',
    '2026-11-23T21:59:18Z[Europe/Paris]',
    '20261123T215918Z____',
    '+002026-11-23T21:59:18Z',
    '２026-11-23T21:59:18Z',
    '2o26-11-23T21:59:18Z'
  ]
  for (const clientTimestamp of bad) {
    t.same(
      refused(() => single({ ...ENTRY, clientTimestamp })).faults?.map(({ field }) => field),
      ['clientTimestamp'],
      clientTimestamp
    )
  }
})

t.test('fields of other names are left behind, unless allowed', async t => {
  const { entries, notes } = single({ ...ENTRY, is_public: true, visibility: { a: 1 } })
  t.same(JSON.parse(entries[0]!), { ...ENTRY, actor: { id: 'user_123' } })
  t.same(notes, [
    { log_index: null, deed: 'removed', field: 'is_public' },
    { log_index: null, deed: 'removed', field: 'visibility' }
  ])
  const some = reading({ allowFields: ['is_public', 'trace', 'token'] })
  t.match(some.sent({ ...ENTRY, is_public: true, trace: { token: 'x' }, other: 1, token: 'x' }), {
    is_public: true,
    trace: { token: '[REDACTED]' },
    other: undefined,
    token: '[REDACTED]'
  })
  t.notOk(
    'is_public' in
      reading({ allowFields: ['is_public'], dropFields: ['is_public'] }).sent({ ...ENTRY, is_public: true })
  )
  t.same(reading({ allowFields: ['x'], dropFields: ['x.a'] }).sent({ ...ENTRY, x: { a: 1, b: 2 } }).x, { b: 2 })
})

t.test('levels below MIN_LEVEL are left out, though checked', async t => {
  const entries = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => ({ ...ENTRY, level }))
  const counts = (['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'none'] as const).map(minLevel => {
    const { received, entries: kept, filtered } = reading({ minLevel }).bulk(entries)
    return [received, kept.length, filtered]
  })
  t.same(counts, [
    [6, 6, 0],
    [6, 5, 1],
    [6, 4, 2],
    [6, 3, 3],
    [6, 2, 4],
    [6, 1, 5],
    [6, 0, 6]
  ])
  const quiet = reading({ minLevel: 'none' })
  t.equal(refused(() => quiet.single({ ...ENTRY, message: 1 })).code, 'VALIDATION_FAILED')
  t.equal(refused(() => quiet.single({ ...ENTRY, environment: 'staging' })).code, 'VALIDATION_INVALID_ENVIRONMENT')
  t.equal(refused(() => quiet.single(`${OPEN_ENTRY},"metadata":{"a":{"__proto__":1}}}`)).code, 'VALIDATION_FAILED')
})

t.test('one request leaves nothing to the next', async t => {
  t.throws(() => single({ ...ENTRY, message: 1 }))
  t.equal(sent(ENTRY, NOBODY).actor, undefined)
  t.same(sent(ENTRY, { ...WHO, userId: 'other' }).actor, { id: 'other' })
  const once = single({ ...ENTRY, metadata: { token: 'x' } })
  t.equal(once.redacted, 1)
  t.equal(single(ENTRY).redacted, 0)
  t.equal(once.redacted, 1, 'a reading is not changed by the next')
})
