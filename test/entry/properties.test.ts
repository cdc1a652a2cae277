import fc from 'fast-check'
import t from 'tap'
import { createMask } from '../../src/entry/mask.js'
import { createReader } from '../../src/entry/reader.js'
import { RefusedEntries } from '../../src/entry/refusal.js'
import { PATTERNS, type Rules } from '../../src/entry/rules.js'
import { LEVELS } from '../../src/entry/schema.js'
import { depthOf, FREE, RULES, type Sent, WHO } from './setup.js'

// What secrets look like, and what is next to them; joined in any order these make the worst of texts.
const SECRET = fc.constantFrom(
  'lt_production_wo_S3cretS3cret',
  'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJTM2NyZXQifQ.UzNjcmV0',
  '4111 1111 1111 1111',
  '5500-0055-5555-5559',
  '378282246310005',
  'token=S3cret',
  '&api_key=S3cret&',
  '"password":"S3cret"',
  '\\"secret\\":\\"S3cret\\"',
  "{pwd: 'S3cret'}",
  'password="S3cret S3cret"',
  'Bearer S3cretS3cret',
  'Authorization: Basic S3cret',
  'https://ada:S3cret@example.com/',
  'password: S3cret',
  'token%3DS3cret%26',
  'password=%22S3cret S3cret%22',
  'password%3D%22S3cret S3cret%22',
  '%22secret%22%3A%22S3cret%5C%22S3cret%22',
  'Bearer 1|S3cretS3cret',
  'S3cret@example.com',
  '10.11.12.13',
  '2001:db8::53c'
)
const SCRAP = fc.constantFrom(
  ...[
    'token',
    'password',
    '=',
    ':',
    '"',
    "'",
    ' ',
    '\n',
    '&',
    '%3D',
    '%3A',
    '%22',
    '%27',
    '%5C',
    '|',
    '.',
    '-',
    '_',
    '@',
    '\\',
    '[',
    ']',
    '[REDACTED]',
    '…'
  ],
  ...[
    '4',
    '411',
    '1111',
    '0.',
    'eyJ',
    'lt_',
    'Bearer',
    'bearer ',
    '://',
    '::',
    'ab12',
    'é',
    '漢字',
    '👩‍👩‍👧',
    '\u0000',
    '\u200f',
    '\ud83d'
  ]
)
const text = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 100 }) },
  { weight: 3, arbitrary: fc.array(fc.oneof(SCRAP, SECRET), { maxLength: 24 }).map(parts => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', maxLength: 900 }) }
)
const name = fc
  .oneof(
    fc.constantFrom('password', 'accessToken', 'a', 'stack', 'id', 'ID', 'user.email', '_trimmed', 'x'.repeat(900)),
    text
  )
  // refused in every spelling
  .filter(name => name.normalize('NFKC').replace(/\W/g, '') !== '__proto__' && name !== 'constructor')

const { tree } = fc.letrec<{ tree: unknown; leaf: unknown; fields: Record<string, unknown> }>(tie => ({
  tree: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.array(tie('tree'), { maxLength: 6 }),
    tie('fields')
  ),
  leaf: fc.oneof(
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null)
  ),
  fields: fc.dictionary(name, tie('tree'), { maxKeys: 6, noNullPrototype: true })
}))
const branch = fc.dictionary(name, tree, { maxKeys: 8, noNullPrototype: true })

const entry = fc.record(
  {
    action: text.map(text => `a${text}`.slice(0, 200)),
    level: fc.constantFrom(...LEVELS),
    clientTimestamp: fc.constant('2026-11-23T21:59:18.123Z'),
    message: text,
    environment: fc.constant('production'),
    actor: branch,
    target: branch,
    context: branch,
    metadata: branch,
    tags: fc.array(text, { maxLength: 30 }),
    is_public: tree
  },
  { requiredKeys: ['action', 'level', 'clientTimestamp'] }
)

const rules = fc.record<Partial<Rules>>({
  limits: fc.constantFrom(FREE, RULES.limits, { maxLogBytes: 400, maxDepth: 1, maxTags: 1 }),
  stampActor: fc.constantFrom('replace', 'merge', 'off'),
  stampContext: fc.constantFrom([], ['ip', 'user_agent', 'request_id', 'received_at', 'entry_id']),
  redactPatterns: fc.constantFrom(RULES.redactPatterns, PATTERNS, []),
  allowFields: fc.constantFrom([], ['is_public']),
  dropFields: fc.constantFrom([], ['metadata.a', 'context', 'target.user.email'])
})

const options = { newId: () => '00000000-0000-4000-8000-000000000000' }
const who = WHO

t.test('an entry that is taken keeps the limits and what must stay, and reading it again changes nothing', async () => {
  fc.assert(
    fc.property(entry, rules, (entry, change) => {
      const { limits } = { ...RULES, ...change }
      const reader = createReader({ ...RULES, ...change }, options)
      const body = Buffer.from(JSON.stringify(entry))
      let json: string
      try {
        json = reader.single(body, who).entries[0]!
      } catch (error) {
        // Only what nothing can cut is refused.
        const { faults } = error as { faults: { field: string }[] }
        fc.pre(faults.length === 1)
        return ['action', 'actor.id'].includes(faults[0]!.field)
      }
      const sent = JSON.parse(json) as Sent
      const bytes = Buffer.from(json)
      const fits =
        bytes.length <= limits.maxLogBytes &&
        (sent.tags?.length ?? 0) <= limits.maxTags &&
        [sent.actor, sent.target, sent.context, sent.metadata].every(branch => depthOf(branch) <= limits.maxDepth)
      const whole = bytes.toString() === json && !/\\ud[89a-f]/.test(json.replaceAll('\\\\', ''))
      const stays =
        sent.level === entry.level &&
        sent.clientTimestamp === entry.clientTimestamp &&
        sent.environment === entry.environment &&
        (change.stampActor === 'off' || sent.actor?.id === who.userId)
      const again = reader.single(bytes, who).entries[0]
      const same = reader.single(body, who).entries[0]
      // A stamp that was cut is stamped whole again.
      if (again !== json && change.stampContext?.length === 0)
        throw new Error(`Read again it becomes\n${again} from\n${json}`)
      return fits && whole && stays && same === json
    }),
    { numRuns: Number(process.env.RUNS ?? 200) }
  )
})

t.test('masking a masked text changes nothing, and no secret survives', async () => {
  for (const patterns of [RULES.redactPatterns, PATTERNS]) {
    const mask = createMask(patterns, [])
    fc.assert(
      fc.property(text, text => {
        const masked = mask(text)
        return mask(masked) === masked
      }),
      { numRuns: Number(process.env.RUNS ?? 2000) }
    )
  }
  const mask = createMask(PATTERNS, [])
  const apart = fc.constantFrom(' ', '\n', '\t', ' and ', '; ')
  fc.assert(
    fc.property(fc.array(fc.tuple(SECRET, apart), { minLength: 1, maxLength: 8 }), parts => {
      const masked = mask(parts.flat().join(''))
      return !/S3cret|53c|4111|10\.11/.test(masked)
    }),
    { numRuns: Number(process.env.RUNS ?? 1000) }
  )
  // What one value runs on to is not lost for that: the mask goes as far as the secret that begins within it.
  const opening = fc.constantFrom('token=S3cret', 'Bearer S3cret', 'token%3DS3cret', 'secret: S3cret1', 'cookie=S3cret')
  const joint = fc.constantFrom(',', '/', '.', '|', '-', '%2C', '(')
  fc.assert(
    fc.property(
      fc.array(
        fc.tuple(
          opening,
          joint,
          SECRET.filter(secret => secret !== '2001:db8::53c'),
          apart
        ),
        { minLength: 1, maxLength: 4 }
      ),
      parts => {
        const text = parts.flat().join('')
        const masked = mask(text)
        return !/S3cret|53c|4111|10\.11/.test(masked) && mask(masked) === masked
      }
    ),
    { numRuns: Number(process.env.RUNS ?? 1000) }
  )
})

t.test('whatever comes, it is read or refused, and only by its own kind of error', async () => {
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map(bytes => Buffer.from(bytes)),
    fc.json({ maxDepth: 6 }).map(json => Buffer.from(json)),
    entry.map(entry => Buffer.from(JSON.stringify(entry).replace(/[,:]/, ' '))),
    fc
      .array(
        fc.oneof(
          entry,
          fc.jsonValue(),
          entry.map(entry => ({ ...entry, level: 'x', action: undefined }))
        ),
        { maxLength: 5 }
      )
      .map(list => Buffer.from(JSON.stringify(list)))
  )
  fc.assert(
    fc.property(
      bodies,
      rules,
      fc.constantFrom('trim', 'reject'),
      fc.constantFrom('trace', 'none'),
      (body, change, oversize, minLevel) => {
        const reader = createReader({ ...RULES, ...change, oversize, minLevel } as Rules, options)
        for (const route of ['single', 'bulk'] as const) {
          try {
            const { received, entries, filtered } = reader[route](body, who)
            if (received !== entries.length + filtered) return false
          } catch (error) {
            if (!(error instanceof RefusedEntries) || error.statusCode !== 400) throw error
          }
        }
        return true
      }
    ),
    { numRuns: Number(process.env.RUNS ?? 300) }
  )
})
