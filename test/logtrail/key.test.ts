import t from 'tap'
import { checkKeyPolicy, parseKey, secretPart, seemsMadeUp, splitKeys } from '../../src/logtrail/key.js'

const RANDOM = 'Zk3-q_9XbT7vPmW2'
/** Nobody's, though not evidently a placeholder: a test has them, and Logtrail alone knows which keys it issued. */
const MADE_UP = [
  'test123',
  'abc123',
  'secret',
  'sample',
  'dummy-key',
  'a'.repeat(32),
  'abababababababab',
  'testtesttesttest',
  'a-sample-0123456789',
  'dummy_0123456789',
  'test_api_key_0123'
]
const key = (environment = 'production', type = 'wo', random = RANDOM) => `lt_${environment}_${type}_${random}`

t.test('a key tells its environment and type, and a fingerprint that is no part of it', async t => {
  for (const environment of ['development', 'staging', 'production'] as const) {
    for (const type of ['wo', 'ro', 'rw'] as const) {
      const info = parseKey(key(environment, type))
      t.match(info, { environment, type, fingerprint: /^[0-9a-f]{8}$/ })
      t.notOk(key(environment, type).includes(info.fingerprint))
    }
  }
  t.equal(parseKey(key()).fingerprint, parseKey(key()).fingerprint)
  t.not(parseKey(key()).fingerprint, parseKey(key('production', 'wo', `${RANDOM}x`)).fingerprint)
  t.equal(secretPart(key()), RANDOM)
  t.equal(secretPart('not a key'), 'not a key')
})

t.test('what is no key is refused without a word of it', async t => {
  const wrong = [
    '',
    'Hq7-secret-Hq7',
    `Bearer ${key()}`,
    `${key()}\n`,
    ` ${key()}`,
    key('test'),
    key('Production'),
    key('production', 'w'),
    key('production', 'wo', ''),
    key('production', 'wo', 'Zk3q9'),
    key('production', 'wo', 'Zk3 q9XbT7vPmW2'),
    key('production', 'wo', 'Zk3q9XbT7vPmWé'),
    key('production', 'wo', 'Zk3q9XbT7vPmW'.repeat(50)),
    `sk_live_${RANDOM}`,
    key('production', 'wo', `${RANDOM}.x`)
  ]
  for (const text of wrong) {
    const said = complaint(text)
    for (const part of text.split(/[\s_-]+/).filter(each => each.length > 2)) {
      if (['lt', 'production', 'test', 'Production'].includes(part)) continue
      t.notOk(said.includes(part), `nothing of ${JSON.stringify(text)} in ${said}`)
    }
  }
})

t.test('placeholders are refused as such', async t => {
  const placeholders = [
    'lt_development_wo_your_key_here',
    'lt_production_wo_your-random-part-here',
    'lt_development_wo_xxxxxxxxxxxxxxxxxxxxxxxx',
    'lt_development_wo_XXXX-XXXX-XXXX-XXXX',
    'lt_development_wo_000000000000000000',
    'lt_development_wo_000-000-000',
    'lt_development_wo______________',
    'lt_development_wo_random',
    'lt_development_wo_api_key',
    'lt_development_wo_my-api-key',
    'lt_development_wo_put-the-key-here',
    'lt_development_wo_replace-me',
    'lt_development_wo_todo',
    'lt_development_wo_example',
    'lt_development_wo_exampleExample123',
    'lt_development_wo_replace_with_your_key',
    'lt_development_wo_changemechangeme',
    'lt_development_wo_...',
    'lt_development_wo_…',
    'lt_development_wo_****',
    'lt_development_wo_abc***def',
    'lt_development_wo_<random part>',
    'lt_{environment}_{type}_{random}',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a forgotten shell variable looks like
    '${LOGTRAIL_API_KEY}',
    '<your key>',
    'your-api-key',
    'xxx',
    'changeme',
    'CHANGE_ME',
    'placeholder'
  ]
  for (const text of placeholders) t.match(complaint(text), /placeholder/, text)
})

t.test('random parts that only look a little like a placeholder pass', async t => {
  for (const random of [
    'aXxX9qT7vPmW2Zk3',
    'youR3kEyh9T7vPmW',
    '-_-Zk3q9XbT7vPmW-',
    '0123456789abcdef',
    'test-9XbT7vPm_1',
    ...MADE_UP
  ]) {
    for (const environment of ['development', 'production']) {
      t.doesNotThrow(() => parseKey(key(environment, 'wo', random)), random)
    }
  }
})

t.test('what seems to be made up for a test is told apart', async t => {
  for (const random of MADE_UP) t.ok(seemsMadeUp(key('production', 'wo', random)), random)
  for (const random of [RANDOM, '0123456789abcdef', 'laTestZk39XbT7vPmW2'])
    t.notOk(seemsMadeUp(key('production', 'wo', random)), random)
  t.ok(seemsMadeUp(''), 'no key at all is no real one')
})

t.test('a short random part is looked for with the whole key: other texts hold it by chance', async t => {
  t.equal(secretPart(key('production', 'wo', 'test123')), key('production', 'wo', 'test123'))
  t.equal(secretPart(key('production', 'wo', 'Zk3q9XbT7vP')), key('production', 'wo', 'Zk3q9XbT7vP'))
  t.equal(secretPart(key('production', 'wo', 'Zk3q9XbT7vPm')), 'Zk3q9XbT7vPm')
})

t.test('keys are read from a variable or a file, however they stand there', async t => {
  t.strictSame(splitKeys('a'), ['a'])
  t.strictSame(splitKeys('\uFEFFa , b\r\n'), ['a', 'b'])
  t.strictSame(splitKeys('a\nb\n'), ['a', 'b'])
  t.strictSame(splitKeys('a,a'), ['a'])
  t.strictSame(splitKeys(' \n'), [])
})

t.test('the policy', async t => {
  const [wo, rw, ro] = ['wo', 'rw', 'ro'].map(type => parseKey(key('production', type)))
  const [dev, devRw] = ['wo', 'rw'].map(type => parseKey(key('development', type)))
  if (!wo || !rw || !ro || !dev || !devRw) throw new Error('unreachable')
  const cases = [
    { name: 'write-only', keys: [wo], policy: {}, faults: [], warnings: [] },
    { name: 'read-only', keys: [ro], policy: { allowReadWrite: true }, faults: [/read-only/], warnings: [] },
    { name: 'read-write in production', keys: [rw], policy: {}, faults: [/ALLOW_READ_WRITE/], warnings: [] },
    {
      name: 'the same, allowed',
      keys: [rw],
      policy: { allowReadWrite: true },
      faults: [],
      warnings: [/may also read/]
    },
    { name: 'read-write elsewhere', keys: [devRw], policy: {}, faults: [], warnings: [/may also read/] },
    { name: 'matching', keys: [wo], policy: { environment: 'production' }, faults: [], warnings: [] },
    { name: 'other environment', keys: [wo], policy: { environment: 'staging' }, faults: [/is staging/], warnings: [] },
    {
      name: 'a secret in its place',
      keys: [wo],
      policy: { environment: 'hush' },
      faults: [/something else/],
      warnings: []
    },
    { name: 'development live', keys: [dev], policy: { nodeEnv: 'production' }, faults: [/NODE_ENV/], warnings: [] },
    {
      name: 'development live, on purpose',
      keys: [dev],
      policy: { nodeEnv: 'production', environment: 'development' },
      faults: [],
      warnings: []
    },
    { name: 'production live', keys: [wo], policy: { nodeEnv: 'production' }, faults: [], warnings: [] },
    { name: 'development at home', keys: [dev], policy: { nodeEnv: 'development' }, faults: [], warnings: [] },
    { name: 'a rotation', keys: [wo, wo], policy: {}, faults: [], warnings: [] },
    { name: 'a rotation across', keys: [wo, dev], policy: {}, faults: [/one environment/], warnings: [] },
    { name: 'three', keys: [wo, wo, wo], policy: {}, faults: [/at most two/], warnings: [] },
    { name: 'none', keys: [], policy: {}, faults: [/no key/], warnings: [] },
    { name: 'said once for both', keys: [ro, ro], policy: {}, faults: [/read-only/], warnings: [] }
  ]
  for (const { name, keys, policy, faults, warnings } of cases) {
    const verdict = checkKeyPolicy(keys, { allowReadWrite: false, ...policy })
    t.match(verdict, { faults, warnings }, name)
    t.equal(verdict.faults.length, faults.length, name)
    t.equal(verdict.warnings.length, warnings.length, name)
    t.notOk(JSON.stringify(verdict).includes('hush'))
  }
})

function complaint(text: string): string {
  try {
    parseKey(text)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('was taken for a key')
}
