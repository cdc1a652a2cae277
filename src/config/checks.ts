import { ruleFaults } from '../entry/rule-faults.js'
import { checkKeyPolicy, parseKey, seemsMadeUp } from '../logtrail/key.js'
import { isLoopback } from './addresses.js'
import { NAMES, type Name, type Values, variable } from './schema.js'
import { checkSession } from './session-checks.js'
import type { Source } from './sources.js'

/** What one variable alone does not show. `values` lacks what is unset or has a fault of its own. */
export interface Findings {
  values: Partial<Values>
  /** The keys of Logtrail that are well formed, also where another one beside them is not. */
  keys: readonly string[]
  sources: Partial<Record<Name, Source>>
  /** Whether the variable is set, even to something that could not be read. */
  isSet(name: Name): boolean
  nodeEnv: string | undefined
  fault(variable: Name, message: string): void
  warn(message: string): void
}

export function checkTogether(findings: Findings): void {
  checkKeys(findings)
  checkSession(findings)
  checkHttp(findings)
  checkPorts(findings)
  checkDelivery(findings)
  checkFields(findings)
  checkUnused(findings)
}

function checkKeys({ values, keys, nodeEnv, fault, warn }: Findings): void {
  if (keys.length === 0) return
  const found = checkKeyPolicy(keys.map(parseKey), {
    environment: values.LOGTRAIL_ENVIRONMENT,
    allowReadWrite: values.LOGTRAIL_ALLOW_READ_WRITE_KEY ?? false,
    nodeEnv
  })
  for (const message of found.faults) fault('LOGTRAIL_API_KEY', `must be another key: ${message}`)
  for (const message of found.warnings) warn(`LOGTRAIL_API_KEY: ${message}`)
  if (keys.some(key => parseKey(key).environment === 'production' && seemsMadeUp(key))) {
    warn(
      'LOGTRAIL_API_KEY: a key of production seems to be made up for tests: is it the one from the Logtrail dashboard?'
    )
  }
}

/** The key, sessions and the answers about them go over https, but to this machine and to hosts named for it. */
function checkHttp({ values, fault }: Findings): void {
  const allowed = values.ALLOW_HTTP_HOSTS
  if (!allowed) return
  for (const name of ['LOGTRAIL_URL', 'SESSION_JWKS_URL', 'SESSION_AUTH_URL'] as const) {
    const address = values[name]
    if (!address) continue
    const { protocol, hostname, port } = new URL(address)
    if (protocol === 'https:' || isLoopback(hostname)) continue
    // A name with a port allows no other port of that host.
    if (allowed.includes(hostname) || allowed.includes(`${hostname}:${port || '80'}`)) continue
    fault(name, `must be an https address, or ALLOW_HTTP_HOSTS must name its host (\`${hostname}\`)`)
  }
}

function checkPorts({ values, fault }: Findings): void {
  const { HOST = '', PORT, ADMIN_HOST = '', ADMIN_PORT } = values
  if (!PORT || PORT !== ADMIN_PORT) return
  const shared = HOST === ADMIN_HOST || [HOST, ADMIN_HOST].some(host => host === '0.0.0.0' || host === '::')
  if (shared) fault('ADMIN_PORT', `must be another port than PORT, which is ${PORT} too`)
}

/** Told by the start, and by the commands that work without a whole configuration. */
export const REDIS_QUEUE_WITHOUT_URL = {
  variable: 'REDIS_URL',
  message: 'is required with QUEUE_STORE=redis: `redis://` or `rediss://`, host and port'
} as const

function checkDelivery({ values, isSet, fault, warn }: Findings): void {
  const { DELIVERY, QUEUE_STORE, POOL_TIMEOUT, LOGTRAIL_TIMEOUT, BODY_LIMIT, LOGTRAIL_MAX_LOG_BYTES } = values
  if (DELIVERY === 'queued' && QUEUE_STORE === 'redis' && !isSet('REDIS_URL')) {
    fault(REDIS_QUEUE_WITHOUT_URL.variable, REDIS_QUEUE_WITHOUT_URL.message)
  }
  if (DELIVERY === 'pooled' && POOL_TIMEOUT && LOGTRAIL_TIMEOUT && POOL_TIMEOUT < LOGTRAIL_TIMEOUT) {
    warn('POOL_TIMEOUT is shorter than LOGTRAIL_TIMEOUT: entries are given up while Logtrail may still answer')
  }
  if (BODY_LIMIT && LOGTRAIL_MAX_LOG_BYTES && BODY_LIMIT < LOGTRAIL_MAX_LOG_BYTES) {
    warn('BODY_LIMIT is smaller than LOGTRAIL_MAX_LOG_BYTES: entries that Logtrail would take are refused')
  }
}

function checkFields({ values, fault }: Findings): void {
  const { ALLOW_FIELDS: allowFields = [], DROP_FIELDS: dropFields = [] } = values
  for (const { variable, message } of ruleFaults({ allowFields, dropFields })) fault(variable, message)
}

const ANONYMOUS_LIMITS = ['RATE_LIMIT_ANONYMOUS_MAX', 'RATE_LIMIT_ANONYMOUS_LOGS_MAX'] as const

/** A variable for another mode than the one that is chosen: somebody believes that it does something. */
function checkUnused({ values, sources, warn }: Findings): void {
  for (const name of NAMES) {
    const { when } = variable(name)
    if (!when || !sources[name]) continue
    const [other, ...uses] = when as readonly [Name, ...string[]]
    const actual = values[other] as string | undefined
    if (actual !== undefined && !uses.includes(actual)) warn(`${name} is set but has no effect with ${other}=${actual}`)
  }
  // SESSION_MODE=none lets in everybody as anonymous, whatever ANONYMOUS says.
  if (values.ANONYMOUS !== 'deny' || values.SESSION_MODE === 'none') return
  for (const name of ANONYMOUS_LIMITS) {
    if (sources[name]) warn(`${name} is set but has no effect with ANONYMOUS=deny`)
  }
}
