import { readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'
import t from 'tap'
import { configTable, envExample, metricsTable, withTables } from '../../src/build/tables.js'
import { NAMES, SCHEMA, variable } from '../../src/config/schema.js'

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

t.test('the table of metrics has what the interface names', async t => {
  const table = await metricsTable()
  t.match(table, '| `logtrail_bff_requests_total{route,status,error_code}` | counter | Requests of browsers')
  t.match(table, '| `logtrail_bff_queue_entries` | gauge |')
  t.equal(table.trim().split('\n').length, 2 + 11)
})

t.test('the README has these tables', async t => {
  t.equal(read('README.md'), await withTables(read('README.md')), 'npm run docs')
  for (const table of [configTable(), await metricsTable()]) t.ok(read('README.md').includes(table))
})

t.test('.env.example', async t => {
  t.equal(read('.env.example'), envExample(), 'npm run docs')
  t.strictSame(
    Object.keys(parseEnv(envExample())),
    ['LOGTRAIL_API_KEY', 'LOGTRAIL_PLAN', 'SESSION_MODE'],
    'sets nothing but what has no default'
  )
  for (const name of NAMES) t.match(envExample(), new RegExp(`^#?${name}=`, 'm'))
})

t.test('the script that writes both', async t => {
  const written: Record<string, string> = {}
  await t.mockImport('../../src/build/docs.js', {
    'node:fs': {
      readFileSync: () =>
        'a\n<!-- variables -->\nold\n<!-- /variables -->\nb\n<!-- metrics -->\n<!-- /metrics -->\nc\n',
      writeFileSync: (name: string, text: string) => Object.assign(written, { [name]: text })
    }
  })
  t.strictSame(written, {
    'README.md': `a\n<!-- variables -->\n\n${configTable()}\n<!-- /variables -->\nb\n<!-- metrics -->\n\n${await metricsTable()}\n<!-- /metrics -->\nc\n`,
    '.env.example': envExample()
  })
})

t.test('the schema is left as it is by whoever reads it', async t => {
  t.notOk('additionalProperties' in SCHEMA)
})
