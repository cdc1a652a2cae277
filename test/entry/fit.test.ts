import t from 'tap'
import type { Rules } from '../../src/entry/rules.js'
import { ENTRY, FREE, NOBODY, RULES, reading, refused, type Sent, WHO } from './setup.js'

function fit(entry: object, change: Partial<Rules> = {}, who = WHO) {
  const { entries, trimmed, notes } = reading({ limits: FREE, ...change }).single(entry, who)
  const sent = JSON.parse(entries[0]!) as Sent
  return {
    sent,
    trimmed,
    bytes: Buffer.byteLength(entries[0]!),
    cut: notes.map(({ deed, field }) => `${deed} ${field}`)
  }
}

const size = (entry: object) => Buffer.byteLength(JSON.stringify({ ...entry, actor: { id: 'user_123' } }))

t.test('what fits to the byte is left alone', async t => {
  for (const character of ['x', 'é', '漢', '😀', '"']) {
    const bare = size({ ...ENTRY, message: '' })
    const each = Buffer.byteLength(JSON.stringify(character)) - 2
    const message = character.repeat(Math.floor((700 - bare) / each)) + 'x'.repeat((700 - bare) % each)
    t.match(fit({ ...ENTRY, message }), { trimmed: 0, bytes: 700, sent: { message, metadata: undefined } })
    t.match(fit({ ...ENTRY, message: `${message}x` }), { trimmed: 1, sent: { metadata: { _trimmed: 701 } } })
  }
})

t.test('the message gives way first', async t => {
  const { sent, bytes, cut } = fit({ ...ENTRY, message: 'm'.repeat(900), metadata: { stack: 's'.repeat(300), n: 1 } })
  t.equal(bytes, 700)
  t.match(sent.message, /^m+…$/)
  t.equal(sent.metadata?.stack, 's'.repeat(300))
  t.same(cut, ['trimmed message'])
})

t.test('then the longest strings, all to one length', async t => {
  const { sent, bytes } = fit({
    ...ENTRY,
    message: 'm'.repeat(900),
    target: { a: 's'.repeat(400) },
    metadata: { b: 's'.repeat(600), c: 's'.repeat(50), d: ['s'.repeat(500)] }
  })
  t.ok(bytes <= 700 && bytes > 690)
  t.equal(Buffer.byteLength(sent.message!), 64)
  const { b, d } = sent.metadata as { b: string; d: string[] }
  const lengths = [sent.target?.a, b, d[0]].map(text => Buffer.byteLength(String(text)))
  t.equal(new Set(lengths).size, 1)
  t.equal(sent.metadata?.c, 's'.repeat(50))
})

t.test('then the deepest branches, of those the largest', async t => {
  const { sent, cut } = fit({
    ...ENTRY,
    message: 'short',
    target: { list: Array(60).fill(12345), id: 7 },
    metadata: { a: { big: Array(100).fill(1), small: 1 }, keep: 'x', more: Array.from({ length: 20 }, (_, at) => at) }
  })
  t.equal(sent.message, 'short')
  t.equal(sent.target?.id, 7)
  t.equal(sent.metadata?.keep, 'x')
  const { a } = sent.metadata as { a: { big: number[]; small: number } }
  t.ok(a.big.length > 20 && a.big.length < 60, 'the deepest went first')
  t.equal((sent.target as { list: number[] }).list.length, 60)
  t.ok(cut.every(field => field.startsWith('trimmed metadata.a.')))
})

t.test('lists keep their beginning', async t => {
  const { sent } = fit({ ...ENTRY, metadata: { list: Array.from({ length: 500 }, (_, at) => 1000 + at) } })
  const list = sent.metadata?.list as number[]
  t.ok(list.length > 80)
  t.same(
    list,
    list.map((_, at) => 1000 + at)
  )
})

t.test('last goes what is left of a branch; never what must stay', async t => {
  const action = 'a'.repeat(380)
  const who = { ...WHO, userId: 'u'.repeat(80) }
  const { sent, bytes } = fit(
    {
      ...ENTRY,
      action,
      message: 'm'.repeat(100),
      environment: 'production',
      actor: { name: 'n'.repeat(100) },
      target: { a: 1 },
      context: { b: 2 },
      metadata: { c: 3 },
      tags: ['t'.repeat(100), 'u', 'v'],
      is_public: true,
      extra: 'e'.repeat(200)
    },
    { stampActor: 'merge', stampContext: ['request_id', 'entry_id'], allowFields: ['is_public', 'extra'] },
    who
  )
  t.ok(bytes <= 700)
  t.match(sent, { ...ENTRY, action, environment: 'production', actor: { id: who.userId } })
  t.match(sent.context, { request_id: 'req-1', entry_id: /^.{36}$/ })
  t.same(Object.keys(sent.context!), ['request_id', 'entry_id'])
  t.same(Object.keys(sent.metadata!), ['_trimmed'])
  t.notOk('is_public' in sent || 'extra' in sent || 'target' in sent)
})

t.test('tags go one by one, a claimed actor and an empty one too', async t => {
  const tight = { ...FREE, maxLogBytes: 200 }
  const room = { ...FREE, maxLogBytes: 235 }
  const { sent } = fit(
    { ...ENTRY, tags: ['first', 'second', 'third'], message: 'm'.repeat(64), metadata: { n: Array(99).fill(1) } },
    { limits: room }
  )
  t.same(sent.tags, ['first'])
  t.same(
    fit(
      { ...ENTRY, actor: { n: 'x'.repeat(900) }, action: 'a'.repeat(90) },
      { stampActor: 'merge', limits: tight },
      NOBODY
    ).sent.actor,
    undefined
  )
  t.same(
    fit({ ...ENTRY, actor: { id: 'i' }, action: 'a'.repeat(80) }, { stampActor: 'off', limits: tight }).sent.actor,
    { id: 'i' }
  )
})

t.test('what nothing can make fit is refused by name', async t => {
  const field = (entry: object, who = WHO, change: Partial<Rules> = {}) =>
    refused(() => reading({ limits: FREE, ...change }).bulk([ENTRY, entry], who)).faults
  t.match(field({ ...ENTRY, action: 'a'.repeat(650) }), [
    { log_index: 1, field: 'action', message: /at most 700 bytes/ }
  ])
  t.match(field({ ...ENTRY, action: 'a'.repeat(5000) }), [{ field: 'action' }])
  t.match(field({ ...ENTRY, clientTimestamp: `2026-11-23T21:59:18.${'1'.repeat(900)}Z` }), [
    { field: 'clientTimestamp' }
  ])
  const off = { stampActor: 'off' } as const
  t.match(field({ ...ENTRY, actor: { id: 'x'.repeat(900) } }, WHO, off), [{ field: 'actor.id' }])
  t.match(field({ ...ENTRY, action: 'a'.repeat(660) }, NOBODY), [{ field: 'action' }])
})

t.test('depth is cut where the plan ends, tags after the last the plan takes', async t => {
  const { sent, cut } = fit({
    ...ENTRY,
    metadata: { a: { b: { c: 1 }, d: [[]] }, e: 1 },
    tags: ['1', '2', '3', '4', '5', '6', '7']
  })
  t.same(sent.metadata, { a: { b: { c: 1 }, d: ['[list]'] }, e: 1, _trimmed: sent.metadata?._trimmed })
  t.same(sent.tags, ['1', '2', '3', '4', '5'])
  t.same(cut, ['trimmed tags', 'trimmed metadata.a.d.0'])
  t.match(
    fit(
      { ...ENTRY, actor: { a: { b: { c: {} } } }, target: { a: { b: { c: [] } } }, extra: { a: { b: { c: [] } } } },
      { stampActor: 'merge', allowFields: ['extra'] }
    ).sent,
    {
      actor: { a: { b: { c: '[object]' } } },
      target: { a: { b: { c: '[list]' } } },
      // the plan's depth is that of what Logtrail's schema names
      extra: { a: { b: { c: [] } } }
    }
  )
})

t.test('stamps are counted, and only the user agent is cut', async t => {
  const stampContext = ['ip', 'user_agent', 'request_id', 'received_at', 'entry_id'] as const
  const who = { ...WHO, userAgent: `Mozilla/5.0 ${'x'.repeat(300)}` }
  const { sent, bytes } = fit(
    { ...ENTRY, message: 'm'.repeat(300), context: { page: 'p'.repeat(200) } },
    { stampContext },
    who
  )
  t.ok(bytes <= 700)
  t.match(sent.context, {
    ip: '192.0.2.7',
    request_id: 'req-1',
    received_at: /Z$/,
    entry_id: /^.{36}$/,
    user_agent: /^Mozilla.*…$/
  })
})

t.test('no length of what a browser sends takes the stamps away', async t => {
  const stampContext = ['ip', 'user_agent', 'request_id', 'received_at'] as const
  const who = { ...WHO, userAgent: `Mozilla/5.0 ${'x'.repeat(300)}` }
  const stamps = { ip: '192.0.2.7', request_id: 'req-1', received_at: '2025-11-23T21:59:18.000Z' }
  const long = (length: number, context = {}) => ({
    ...ENTRY,
    action: 'a'.repeat(length),
    message: 'm'.repeat(300),
    context,
    tags: ['t'.repeat(100)]
  })
  const { sent, cut } = fit(long(430, { page: '/', ip: '1' }), { stampContext }, who)
  t.same(sent.context, stamps, 'the message goes before them, the user agent too')
  t.notOk('message' in sent)
  t.ok(cut.includes('trimmed message'))
  t.notOk(cut.includes('trimmed context') || cut.includes('trimmed actor'), 'what stays is not named')
  for (let length = 300; length < 600; length += 10) {
    const reader = reading({ limits: FREE, stampContext })
    try {
      t.match(reader.sent(long(length), who).context, stamps)
    } catch {
      t.match(refused(() => reader.single(long(length), who)).faults, [{ field: 'action', message: /must be shorter/ }])
      t.ok(length > 430)
    }
  }
})

t.test('an allowed field named like something that every object has', async t => {
  const { sent } = fit({ ...ENTRY, valueOf: { a: 'x'.repeat(900) } }, { allowFields: ['valueOf'] })
  t.match(sent.valueOf, { a: /^x+…$/ })
})

t.test('a pile of accents is cut between two of them', async t => {
  t.match(fit({ ...ENTRY, message: `a${'\u0301'.repeat(900)}` }).sent.message, /^a\u0301{100,}…$/)
})

t.test('the mark is the proxy’s', async t => {
  t.same(
    fit({ ...ENTRY, metadata: { _trimmed: 'claimed' } }).sent.metadata,
    { _trimmed: 'claimed' },
    'where nothing was cut it is a field like others'
  )
  t.match(fit({ ...ENTRY, metadata: { _trimmed: { a: 'x'.repeat(900) }, b: 1 } }).sent.metadata, {
    _trimmed: Number,
    b: 1
  })
})

t.test('nothing masked comes back, and a cut makes nothing that looks like a secret', async t => {
  for (let length = 480; length < 560; length++) {
    const { sent } = fit({ ...ENTRY, message: `${'x'.repeat(length)} password=hunter2 ${'y'.repeat(300)}` })
    t.match(sent.message, /^x+( (p(assword=(\[REDACTED\]( y*)?)?|[asword]*)?)?)?…$/)
  }
  const digits = '4111111111111111'.repeat(60)
  for (let maxLogBytes = 220; maxLogBytes < 300; maxLogBytes++) {
    const limits = { ...FREE, maxLogBytes }
    const once = reading({ limits }).single({
      ...ENTRY,
      message: digits,
      metadata: { a: `Bearer authentication${' Bearer scheme'.repeat(90)}` }
    }).entries
    t.same(reading({ limits }).single(once[0]!).entries, once)
  }
})

t.test('more members than could be sent are not even looked at', async t => {
  const wide = Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`k${at}`, at]))
  const { sent, bytes } = fit(
    {
      ...ENTRY,
      actor: { ...wide, name: 'Ada' },
      metadata: { wide, _trimmed: 1, list: Array(5000).fill({ a: 1 }), [`long${'g'.repeat(800)}`]: 1 }
    },
    { stampActor: 'off' }
  )
  t.ok(bytes <= 700)
  t.equal(typeof sent.metadata?._trimmed, 'number')
  const all = fit({ ...ENTRY, metadata: { ...wide, _trimmed: 1, last: 1 } }).sent.metadata!
  t.equal(typeof all._trimmed, 'number')
})

t.test('OVERSIZE=reject names each limit that is passed', async t => {
  const { single } = reading({ limits: FREE, oversize: 'reject' })
  const faults = (entry: object) =>
    refused(() => single(entry)).faults?.map(({ field, message }) => `${field} ${message}`)
  t.same(faults({ ...ENTRY, message: 'x'.repeat(700) }), [
    'entry must be at most 700 bytes of JSON, with what the server adds'
  ])
  t.same(faults({ ...ENTRY, tags: Array(6).fill('a') }), ['tags must hold at most 5 tags'])
  t.same(faults({ ...ENTRY, metadata: { a: { b: { c: {} } } } }), [
    'metadata.a.b.c must not be nested deeper than 3 levels'
  ])
  t.equal(
    faults({ ...ENTRY, message: 'x'.repeat(700), tags: Array(6).fill('a'), target: { a: { b: [[]] } } })?.length,
    3
  )
  const secret = `token=${'x'.repeat(900)}`
  t.equal(single({ ...ENTRY, message: secret }).trimmed, 0, 'bytes count after masking')
  t.ok(single({ ...ENTRY, message: 'x'.repeat(700 - size({ ...ENTRY, message: '' })) }))
  t.equal(RULES.oversize, 'trim')
})
