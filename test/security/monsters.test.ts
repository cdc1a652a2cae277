import t from 'tap'
import { entry, type Program, startProxy } from '../helper/proxy.js'

/**
 * Bodies made to hurt whoever reads them: nesting that overflows a stack, lists and names without end, names that mean
 * something to the language. Each gets an answer of ours, reaches nothing it should not, and the process goes on.
 */
const OFF = {
  RATE_LIMIT_IP_MAX: '0',
  RATE_LIMIT_MAX: '0',
  RATE_LIMIT_LOGS_MAX: '0',
  BODY_LIMIT: '32mb',
  LOG_LEVEL: 'info'
}
const BASE = '"action":"a","level":"info","clientTimestamp":"2026-03-01T12:00:00Z"'
const arrays = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const mixed = (levels: number) => `${'[{"a":'.repeat(levels / 2)}1${'}]'.repeat(levels / 2)}`
const many = (count: number, make: (n: number) => string) => Array.from({ length: count }, (_, n) => make(n)).join(',')

async function goesOn(t: Tap, program: Program, why: string) {
  const before = program.logtrail.entries().length
  t.equal((await program.post(entry())).status, 201, `${why}: and it goes on serving`)
  t.equal(program.logtrail.entries().length, before + 1)
}
type Tap = Pick<typeof t, 'equal'>

/** Whole bodies that must be refused with a 400. */
const REFUSED: Record<string, () => string> = {}
for (const levels of [1000, 10_000, 1_000_000]) {
  REFUSED[`${levels} objects as action`] = () => `{"action":${objects(levels)},"level":"info"}`
  REFUSED[`${levels} arrays as the body`] = () => arrays(levels)
  REFUSED[`${levels} objects as the body`] = () => objects(levels)
  REFUSED[`${levels} arrays without an end`] = () => '['.repeat(levels)
  REFUSED[`${levels} tags in tags`] = () => `{${BASE},"tags":${arrays(levels)}}`
}
Object.assign(REFUSED, {
  'a million numbers': () => `[${many(1_000_000, String)}]`,
  'a million empty lists': () => `[${many(1_000_000, () => '[]')}]`,
  'a million empty entries': () => `[${many(1_000_000, () => '{}')}]`,
  'a number of 5 million digits': () => '9'.repeat(5_000_000),
  'a string of 10 MB': () => `"${'x'.repeat(10_000_000)}"`,
  'a string of a million escapes': () => `"${'\\ud800'.repeat(1_000_000)}"`,
  '__proto__ at the top': () => `{${BASE},"__proto__":{"isAdmin":true}}`,
  '__proto__ escaped': () => `{${BASE},"\\u005f_proto__":{"isAdmin":true}}`,
  'constructor at the top': () => `{${BASE},"constructor":{"prototype":{"isAdmin":true}}}`,
  '__proto__ within': () => `{${BASE},"metadata":{"a":[{"__proto__":{"isAdmin":true}}]}}`,
  'constructor within': () => `{${BASE},"context":{"constructor":{"prototype":{"isAdmin":true}}}}`,
  '__proto__ in actor': () => `{${BASE},"actor":{"__proto__":{"id":"eve"}}}`,
  '__proto__ in what is filtered and removed': () => `{${BASE},"unknown":{"x":{"__proto__":1}}}`
})

/** Entries that may be taken, cut to fit: what counts is that they are dealt with, and leave within the plan. */
const TAKEN: Record<string, () => string> = {
  '100,000 names in metadata': () => `{${BASE},"metadata":{${many(100_000, n => `"k${n}":${n}`)}}}`,
  '100,000 unknown names': () => `{${BASE},${many(100_000, n => `"k${n}":${n}`)}}`,
  '100,000 names that should be redacted': () =>
    `{${BASE},"metadata":{${many(100_000, n => `"password${n}":"x","my_token_${n}":{"a":1}`)}}}`,
  '100,000 tags': () => `{${BASE},"tags":[${many(100_000, n => `"t${n}"`)}]}`,
  'a list of a million in metadata': () => `{${BASE},"metadata":{"list":[${many(1_000_000, String)}]}}`,
  'a message of 10 MB': () => `{${BASE},"message":"${'x'.repeat(10_000_000)}"}`,
  'an action of 5 MB': () => `{${BASE.replace('"a"', `"${'x'.repeat(5_000_000)}"`)}}`,
  'a name of 5 MB': () => `{${BASE},"metadata":{"${'k'.repeat(5_000_000)}":1}}`,
  'a message of digits': () => `{${BASE},"message":"${'4111 1111 1111 1111 '.repeat(50_000)}"}`,
  'a message of almost a card': () => `{${BASE},"message":"${'4 '.repeat(1_000_000)}"}`,
  'a message of almost tokens': () => `{${BASE},"message":"${'eyJ'.repeat(500_000)}"}`,
  'a message of dots': () => `{${BASE},"message":"${'eyJhbGciOi.'.repeat(200_000)}"}`,
  'a message of almost assignments': () => `{${BASE},"message":"${'token '.repeat(300_000)}"}`,
  'a message of equals': () => `{${BASE},"message":"${'='.repeat(2_000_000)}"}`,
  'a message of spaces': () => `{${BASE},"message":"token${' '.repeat(2_000_000)}x"}`,
  'a message of almost addresses': () => `{${BASE},"message":"${'a@'.repeat(500_000)}"}`,
  'lone surrogates': () => `{${BASE},"message":"${'\\ud800'.repeat(300_000)}"}`,
  'numbers beyond all size': () => `{${BASE},"metadata":{"a":1e999,"b":-1e999,"c":${'9'.repeat(400)}}}`,
  'the same name again and again': () => `{${BASE},${many(100_000, () => '"message":"x"')}}`,
  'names of Object': () => `{${BASE},"metadata":{"toString":1,"hasOwnProperty":2,"toJSON":3,"then":4,"length":5}}`,
  'names that are numbers': () => `{${BASE},"metadata":{${many(50_000, n => `"${n}":1`)}}}`,
  'white space': () => `${' '.repeat(5_000_000)}{${BASE}}${'\n'.repeat(5_000_000)}`
}

const DEEP: Record<string, (levels: number) => string> = {
  'arrays in metadata': levels => `{${BASE},"metadata":{"x":${arrays(levels)}}}`,
  'objects in metadata': levels => `{${BASE},"metadata":${objects(levels)}}`,
  'of both in an unknown field': levels => `{${BASE},"unknown":${mixed(levels)}}`,
  'objects as actor': levels => `{${BASE},"actor":${objects(levels)}}`
}
for (const [what, make] of Object.entries(DEEP)) {
  for (const levels of [101, 1000, 9990]) TAKEN[`${levels} ${what}`] = () => make(levels)
  // a few more than are parsed at all
  for (const levels of [20_004, 1_000_000]) REFUSED[`${levels} ${what}`] = () => make(levels)
}

for (const [start, limit] of [
  [0, 14],
  [14, 100]
] as const) {
  t.test(`bodies that are refused, from ${start}`, async t => {
    const program = await startProxy(t, { env: OFF })
    for (const [name, make] of Object.entries(REFUSED).slice(start, limit)) {
      const bytes = make()
      for (const [path, body] of [
        ['/logtrail/logs', bytes],
        ['/logtrail/logs/bulk', `[${bytes}]`]
      ] as const) {
        const answer = await program.post(body, { path })
        t.equal(answer.status, 400, `${name} to ${path}`)
        t.match(answer.body.error_code, /^VALIDATION_/)
        t.ok(answer.text.length < 50_000, 'whose answer is short')
      }
      await goesOn(t, program, name)
    }
    t.notMatch(program.lines.join(''), /"level":"(error|fatal)"/)
    t.equal(({} as { isAdmin?: unknown }).isAdmin, undefined, 'Object is as it was')
  })
}

t.test('bodies that are cut to fit', async t => {
  const program = await startProxy(t, { env: OFF })
  for (const [name, make] of Object.entries(TAKEN)) {
    const started = process.cpuUsage()
    const answer = await program.post(make())
    const { user } = process.cpuUsage(started)
    t.match(answer.status, /^(201|400)$/, `${name}: ${answer.status}`)
    t.ok(user < 5_000_000, `${name}: in ${Math.round(user / 1000)} ms of CPU`)
    if (answer.status === 201) {
      const { body } = program.logtrail.requests.at(-1)!
      t.ok(body!.length <= 2048, 'and within the plan')
    }
    await goesOn(t, program, name)
  }
  t.notMatch(program.lines.join(''), /"level":"(error|fatal)"/)
})

t.test('pooled: a monster beside others harms none of them', async t => {
  const program = await startProxy(t, { env: { ...OFF, DELIVERY: 'pooled' } })
  const monsters = ['20004 objects in metadata', '1000000 arrays in metadata', '__proto__ within']
  const answers = await Promise.all([
    ...monsters.map(name => program.post(REFUSED[name]!(), { user: 'eve' })),
    ...Array.from({ length: 20 }, (_, n) => program.post(entry(), { user: `user${n}` }))
  ])
  t.same(
    answers.map(({ status }) => status),
    [400, 400, 400, ...Array(20).fill(201)]
  )
})

t.test('OVERSIZE=reject and everything switched on', async t => {
  const env = {
    ...OFF,
    OVERSIZE: 'reject',
    REDACT_PATTERNS: '+email,ip',
    STAMP_CONTEXT: 'ip,user_agent,request_id,received_at,entry_id',
    STAMP_ACTOR: 'merge',
    ALLOW_FIELDS: 'unknown,k1',
    DROP_FIELDS: 'metadata.x,context.constructor'
  }
  const program = await startProxy(t, { env })
  for (const [name, make] of [...Object.entries(REFUSED), ...Object.entries(TAKEN)]) {
    if (/1000000|million/.test(name)) continue
    t.match((await program.post(make())).status, /^(201|400)$/, name)
  }
  await goesOn(t, program, 'all')
  t.notMatch(program.lines.join(''), /"level":"(error|fatal)"/)
})
