import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseEnv } from 'node:util'
import t from 'tap'
import { NAMES, SCHEMA, variable } from '../../src/config/schema.js'
import { configTable, envExample } from '../../src/config/table.js'

const read = (name: string) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

t.test('the table has every variable with its default and its meaning', async t => {
  const rows = configTable().split('\n')
  for (const name of NAMES) {
    const row = rows.find(one => one.startsWith(`| \`${name}\` |`)) ?? ''
    t.equal(row.split(/(?<!\\)\|/).length, 5, `${name} has three columns`)
    t.ok(variable(name).description.length > 15 && row.includes(variable(name).description), 'and says what it means')
  }
  t.match(configTable(), '| `PORT` | `8790` |')
  t.match(configTable(), '| `LOGTRAIL_PLAN` | required |')
  t.match(configTable(), "| `LOGTRAIL_MAX_TAGS` | the plan's |")
  t.match(configTable(), '| `REDIS_URL` | none |')
  t.match(configTable(), 'Also as a file: `SESSION_JWT_SECRET_FILE`.')
})

t.test(
  'the README has this table',
  { skip: !existsSync(new URL('../../README.md', import.meta.url)) && 'no README yet' },
  async t => {
    const [, table] = /<!-- variables -->\n([\s\S]*?)<!-- \/variables -->/.exec(read('README.md')) ?? []
    t.equal(table?.trim(), configTable().trim(), 'node --import tsx src/config/table.ts')
  }
)

t.test('.env.example', async t => {
  t.equal(read('.env.example'), envExample(), 'node --import tsx src/config/table.ts --env > .env.example')
  t.strictSame(
    Object.keys(parseEnv(envExample())),
    ['LOGTRAIL_API_KEY', 'LOGTRAIL_PLAN', 'SESSION_MODE'],
    'sets nothing but what has no default'
  )
  for (const name of NAMES) t.match(envExample(), new RegExp(`^#?${name}=`, 'm'))
})

t.test('the script that prints both', async t => {
  const script = fileURLToPath(new URL('../../src/config/table.ts', import.meta.url))
  for (const [args, text] of [
    [[], configTable()],
    [['--env'], envExample()]
  ] as const) {
    const out = t.capture(process.stdout, 'write', () => true)
    t.intercept(process, 'argv', { value: ['node', script, ...args] })
    await t.mockImport('../../src/config/table.js')
    out.restore()
    t.equal(out.args().join(), text)
  }
})

t.test('the schema is left as it is by whoever reads it', async t => {
  t.notOk('additionalProperties' in SCHEMA)
})
