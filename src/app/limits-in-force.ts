import type { LimitInForce } from '../admin/status.js'
import { configJson } from '../config/print.js'
import { type Name, variable } from '../config/schema.js'
import type { Config } from '../config.js'
import { letsAnonymousIn } from './rules.js'

const ALWAYS: readonly Name[] = [
  'LOGTRAIL_REQUESTS_PER_MINUTE',
  'LOGTRAIL_LOGS_PER_MONTH',
  'LOGTRAIL_MAX_BATCH',
  'LOGTRAIL_MAX_LOG_BYTES',
  'LOGTRAIL_MAX_DEPTH',
  'LOGTRAIL_MAX_TAGS',
  'LOGTRAIL_TIMEOUT',
  'RATE_LIMIT_WINDOW',
  'RATE_LIMIT_IP_MAX',
  'RATE_LIMIT_MAX',
  'RATE_LIMIT_LOGS_MAX'
]
const ANONYMOUS: readonly Name[] = ['RATE_LIMIT_ANONYMOUS_MAX', 'RATE_LIMIT_ANONYMOUS_LOGS_MAX']
const OF_DELIVERY: Record<Config['DELIVERY'], readonly Name[]> = {
  direct: [],
  pooled: ['BATCH_MAX_WAIT', 'POOL_MAX_PENDING', 'POOL_TIMEOUT'],
  queued: ['BATCH_MAX_WAIT', 'QUEUE_MAX_BYTES', 'QUEUE_MAX_AGE']
}

/** The limits that this configuration puts into force, for the status page: none of them is a secret. */
export function limitsInForce(config: Config): LimitInForce[] {
  const shown = configJson(config)
  return [
    ...ALWAYS,
    ...(letsAnonymousIn(config) ? ANONYMOUS : []),
    ...OF_DELIVERY[config.DELIVERY],
    'BODY_LIMIT' as const
  ].map(name => {
    const { value, source } = shown[name]!
    const off = name.startsWith('RATE_LIMIT_') && value === 0
    return { variable: name, value: off ? 'off' : words(value), meaning: variable(name).description, source }
  })
}

function words(value: unknown): string {
  return typeof value === 'number' ? value.toLocaleString('en') : String(value)
}
