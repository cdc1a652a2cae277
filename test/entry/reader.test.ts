import t from 'tap'
import { createReader } from '../../src/entry/reader.js'
import { RefusedEntries } from '../../src/entry/refusal.js'
import type { Rules, Who } from '../../src/entry/rules.js'

export const rules: Rules = {
  limits: { maxLogBytes: 2048, maxBatch: 1000, maxDepth: 5, maxTags: 20 },
  maxEntries: 1000,
  environment: 'production',
  stampActor: 'replace',
  stampContext: [],
  minLevel: 'trace',
  redactFields: [],
  redactPatterns: [],
  allowFields: [],
  dropFields: [],
  oversize: 'reject'
}
const who: Who = { userId: 'u1', ip: '192.0.2.1', requestId: 'r1', receivedAt: 0 }
const good = { action: 'a.b', level: 'info', clientTimestamp: '2026-11-23T21:59:18.123Z' }

function refused(run: () => unknown): RefusedEntries {
  try {
    run()
  } catch (error) {
    if (error instanceof RefusedEntries) return error
    throw error
  }
  throw new Error('was taken')
}
const reader = createReader(rules)
const single = (x: unknown) => reader.single(Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)), who)
const bulk = (x: unknown) => reader.bulk(Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)), who)

t.test('smoke', async t => {
  t.same(JSON.parse(single({ ...good, foo: 1, actor: { id: 'x' }, is_public: true }).entries[0]!), {
    ...good,
    actor: { id: 'u1' }
  })
  t.equal(bulk([good, good]).entries.length, 2)
  for (const [body, code] of [
    ['', 'VALIDATION_EMPTY_BODY'],
    [' \n', 'VALIDATION_EMPTY_BODY'],
    ['{', 'VALIDATION_INVALID_JSON'],
    ['[]', 'VALIDATION_FAILED'],
    ['3', 'VALIDATION_FAILED'],
    [JSON.stringify({ ...good, environment: 'staging' }), 'VALIDATION_INVALID_ENVIRONMENT'],
    [JSON.stringify({ ...good, environment: 3 }), 'VALIDATION_FAILED'],
    [JSON.stringify({ ...good, metadata: { a: 'x'.repeat(3000) } }), 'VALIDATION_FAILED'],
    [JSON.stringify({ ...good, tags: Array(21).fill('x') }), 'VALIDATION_FAILED'],
    [
      `{"action":"a","level":"info","clientTimestamp":"2026-11-23T21:59:18Z","metadata":{"__proto__":1}}`,
      'VALIDATION_FAILED'
    ],
    [
      `{"action":"a","level":"info","clientTimestamp":"2026-11-23T21:59:18Z","x":{"constructor":1}}`,
      'VALIDATION_FAILED'
    ],
    [
      `{"action":"a","level":"info","clientTimestamp":"2026-11-23T21:59:18Z","x":${'['.repeat(10000)}${']'.repeat(10000)}}`,
      'VALIDATION_FAILED'
    ],
    [
      `{"action":"a","level":"info","clientTimestamp":"2026-11-23T21:59:18Z","metadata":{"a":${'['.repeat(1e6)}${']'.repeat(1e6)}}}`,
      'VALIDATION_FAILED'
    ],
    [
      `{"action":"a","level":"info","clientTimestamp":"2026-11-23T21:59:18Z","metadata":{"a":[[[[[]]]]]}}`,
      'VALIDATION_FAILED'
    ]
  ] as const) {
    const e = refused(() => single(body))
    t.equal(e.code, code, body.slice(0, 150))
    t.comment(JSON.stringify(e.faults))
  }
  const e = refused(() => bulk([good, 1, { ...good, level: 'x', action: '' }]))
  t.comment(JSON.stringify(e.faults))
  t.equal(e.received, 3)
})
