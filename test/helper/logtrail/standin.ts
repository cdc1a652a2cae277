/**
 * The stand-in as a process of its own, for tests that kill processes, for benchmarks and for looking at:
 *   node --import tsx test/helper/logtrail/standin.ts --port 8799 --plan free --latency 50
 * Prints one line of JSON when it listens: {"url", "origin", "port"}, and "key" where it made one itself. Keys can also
 * come in LOGTRAIL_STANDIN_KEYS (commas), which `ps` does not show.
 */
import { parseArgs } from 'node:util'
import type { Entry } from './entries.js'
import { startLogtrail } from './logtrail.js'
import type { Plan } from './plans.js'
import type { Keep } from './store.js'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    key: { type: 'string', multiple: true },
    plan: { type: 'string', default: 'professional' },
    limits: { type: 'string', default: '{}' },
    latency: { type: 'string', default: '0' },
    keep: { type: 'string', default: 'all' },
    'id-path': { type: 'string', default: 'metadata.id' },
    answer: { type: 'string', default: 'json' },
    'no-rate': { type: 'boolean', default: false },
    fast: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    'fault-share': { type: 'string', default: '0' }
  }
})

const path = values['id-path'].split('.')
function idOf(entry: Entry): string | undefined {
  let value: unknown = entry
  for (const name of path) value = (value as Record<string, unknown> | undefined)?.[name]
  return value === undefined ? undefined : String(value)
}

const given = values.key ?? process.env.LOGTRAIL_STANDIN_KEYS?.split(',')
const share = Number(values['fault-share'])
const logtrail = await startLogtrail({
  port: Number(values.port),
  ...(given && { keys: given }),
  plan: values.plan as Plan,
  limits: JSON.parse(values.limits),
  latencyMs: Number(values.latency),
  keep: values.keep as Keep,
  idOf,
  answer: values.answer as 'json' | 'empty',
  enforceRate: !values['no-rate'],
  fast: values.fast,
  ...(share > 0 && { faultMix: { seed: Number(values.seed), share } })
})
const { url, origin, port, key } = logtrail
console.log(JSON.stringify({ url, origin, port, ...(!given && { key }) }))

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void logtrail.close().then(() => process.exit(0)))
}
