import t, { type Test } from 'tap'
import { createMask } from '../../src/entry/mask.js'
import { foldName } from '../../src/entry/names.js'
import { OPEN_ENTRY, RULES, reading, refused } from './setup.js'

/**
 * Bodies made to cost: what one browser sends stops all others for as long as it is read. The bounds are some twenty times
 * what it takes on a quiet machine, and what it took before each defect was mended was many times the bound.
 */
function within(t: Test, ms: number, what: string, run: () => void): void {
  const begin = performance.now()
  run()
  const took = performance.now() - begin
  t.ok(took < ms, `${what}: ${Math.round(took)} ms`)
}

t.test('a million faults at the end of long paths', async t => {
  const { single } = reading({ oversize: 'reject' })
  const nested = (name: string, leaves: string) => `${`{"${name}":`.repeat(99)}[${leaves}]${'}'.repeat(99)}`
  const short = nested('a', '[],'.repeat(900_000).slice(0, -1))
  const long = nested('token%3D%26'.repeat(17), '[],'.repeat(20_000).slice(0, -1))
  const forbidden = nested('a', '{"constructor":0},'.repeat(200_000).slice(0, -1))
  for (const [what, body, most, first] of [
    ['depth, by short names', short, 1500, 'metadata.a.a.'],
    ['depth, by names that cost', long, 1500, 'metadata.'],
    ['names that are refused', forbidden, 800, 'metadata.a.a.']
  ] as const) {
    for (const member of ['metadata', 'unknown']) {
      within(t, most, `${what}, in ${member}`, () => {
        const { faults = [] } = refused(() => single(`${OPEN_ENTRY},"${member}":${body}}`))
        t.equal(faults.length, 101)
        t.ok(faults[0]!.field.startsWith(first.replace('metadata', member)))
        t.ok(faults[0]!.field.length <= 201)
      })
    }
  }
})

t.test('hundreds of thousands of values that are too deep to be walked', async t => {
  const { single } = reading({ allowFields: ['more'] })
  const nested = (leaves: string) => `${'{"a":'.repeat(100)}[${leaves}]${'}'.repeat(100)}`
  for (const [what, leaves] of [
    ['side by side', '[],'.repeat(200_000).slice(0, -1)],
    ['names', `{${Array.from({ length: 20_000 }, (_, n) => `"name${n}":0`)}}`],
    ['below one another', `${'['.repeat(9800)}${'0,'.repeat(200_000)}0${']'.repeat(9800)}`]
  ] as const) {
    for (const member of ['metadata', 'unknown', 'more']) {
      within(t, 1500, `${what}, in ${member}`, () => single(`${OPEN_ENTRY},"${member}":${nested(leaves)}}`))
    }
  }
  const many = `{"a":[${Array(100_000).fill('[]')}]}`
  within(t, 3000, 'each cut off by itself', () => {
    single(`${OPEN_ENTRY},"more":${`${'{"a":'.repeat(98)}${many}${'}'.repeat(98)}`}}`)
  })
})

t.test('a secret in a URL that is itself a parameter, again and again', async t => {
  const mask = createMask(['assignment'], [])
  for (const unit of [
    'token%3D%26',
    'token%3Da%26',
    'token%3D%22',
    'token%3D%27token%3D%22',
    'token=%22&',
    '%22token%22%3A%22'
  ]) {
    within(t, 1500, unit, () => mask(unit.repeat(40_000)))
  }
  t.equal(mask('token%3Da%26b'), 'token%3D[REDACTED]%26b')
  t.equal(mask('token%3Da%2Cb c'), 'token%3D[REDACTED] c')
})

t.test('values that lie in one another, and names that end them', async t => {
  const mask = createMask(['card', 'assignment'], [])
  const escaped = (most: number) => Array.from({ length: most }, (_, n) => `token=${'\\'.repeat(n + 1)}'a`).join('')
  for (const [what, text] of [
    ['in one another', 'token=a,'.repeat(250_000)],
    ['in one another, in quotes', `token="${'token=a,'.repeat(250_000)}`],
    ['in one another, escaped more and more', `${escaped(2000)}'`],
    ['in one another, escaped more and more, in quotes', `token="${escaped(2000)}"`],
    [
      'in one another, escaped more and more, in a URL',
      `${escaped(2000).replaceAll('\\', '%5C').replaceAll("'", '%22')}`
    ],
    ['in encoded quotes, never closed', 'token=%27password%3D%22'.repeat(100_000)],
    ['spaces behind a colon', `%22token%22%3A${' '.repeat(2_000_000)}`],
    ['spaces behind colons', `%22token%22%3A${'+'.repeat(1000)}`.repeat(2000)],
    ['bearers of nothing', 'bearer+of:'.repeat(400_000)],
    ['bearers of something', 'bearer+of|'.repeat(400_000)],
    ['parts of a token', `Bearer ${'a:'.repeat(1_000_000)}`],
    ['digits', `token=${'4111 '.repeat(400_000)}`],
    ['digits, again and again', 'token=4111 1111 '.repeat(120_000)],
    ['spaces behind', `token=a,password${' '.repeat(2_000_000)}=`],
    ['spaces behind, again and again', `token=a,password${' '.repeat(1000)}`.repeat(2000)],
    ['in quotes, never closed', 'token=a,password="'.repeat(110_000)]
  ] as const) {
    within(t, 1500, what, () => mask(text))
  }
})

t.test('names made of combining marks', async t => {
  const marks = '\u0301\u0327'.repeat(100_000)
  within(t, 1500, 'folded', () => t.equal(foldName(`to${marks}ken`), 'token'))
  const { sent } = reading({ limits: { ...RULES.limits, maxLogBytes: 1024 * 1024 } })
  within(t, 3000, 'read', () => t.ok(sent(`${OPEN_ENTRY},"metadata":{"a${marks}":1}}`)))
})

t.test('tags, each of which would have to go by itself', async t => {
  const { single } = reading({ limits: { ...RULES.limits, maxTags: 1000 } })
  const tags = JSON.stringify(Array.from({ length: 1000 }, (_, n) => `${n}`.padStart(60, 'x')))
  const body = `${OPEN_ENTRY},"tags":${tags}}`
  within(t, 2000, 'a hundred entries', () => {
    for (let n = 0; n < 100; n++) single(body)
  })
})
