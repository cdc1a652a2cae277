import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { checkTogether } from './config/checks.js'
import { ConfigError, type ConfigFault } from './config/fault.js'
import { unknownNames } from './config/names.js'
import { NAMES, type Name, type Values } from './config/schema.js'
import { wellFormedKeys } from './config/secrets.js'
import { type Gathered, gather, type Source, type Surroundings } from './config/sources.js'
import { validate } from './config/validate.js'
import { parseKey } from './logtrail/key.js'
import { PLANS, type PlanLimits } from './logtrail/plans.js'

export { ConfigError } from './config/fault.js'
export type { Source } from './config/sources.js'

/**
 * The variables by their own names: durations in milliseconds, sizes in bytes, lists as arrays (empty where unset), what
 * is unset otherwise undefined.
 */
export interface Config extends Values {
  /** Said at start, to the log. */
  warnings: string[]
  /** Where LOGTRAIL_API_KEY was read from, if that was a file: it is watched for new keys. */
  keyFile?: string
  sources: Record<Name, Source>
  /** `NODE_ENV`, for the policy on new keys. */
  nodeEnv?: string
}

/** Who calls: the environment and the directory of the process, and for tests a stand-in for the file system. */
export interface ConfigSource {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  readFile?: (path: string) => string
}

/**
 * The whole configuration.
 * @throws ConfigError with every fault there is, and with the unknown names
 */
export function loadConfig(source: ConfigSource): Config {
  const from = surroundings(source)
  const gathered = gather(from, NAMES)
  fillFromPlan(gathered)
  const { values, faults } = validate(gathered.texts, NAMES)
  const unknown = unknownNames(gathered.everything)
  const warnings = [...unknown]
  const all = [...gathered.faults, ...faults.filter(fault => !unreadable(gathered, fault.variable))]
  const nodeEnv = gathered.everything.NODE_ENV?.trim()
  checkTogether({
    values,
    keys: wellFormedKeys(gathered.texts.LOGTRAIL_API_KEY),
    sources: gathered.sources,
    isSet: name => gathered.sources[name] !== undefined || unreadable(gathered, name),
    nodeEnv,
    fault: (variable, message) => all.push({ variable, message }),
    warn: message => warnings.push(message)
  })
  if (all.length > 0) throw new ConfigError(inOrder(all), unknown)
  return {
    ...fillIn(values as Values, gathered, from.cwd),
    warnings,
    sources: Object.fromEntries(NAMES.map(name => [name, gathered.sources[name] ?? 'default'])) as Config['sources'],
    ...(gathered.keyFile !== undefined && { keyFile: gathered.keyFile }),
    ...(nodeEnv !== undefined && { nodeEnv })
  }
}

/**
 * A few variables alone, for commands that work without a whole configuration. What depends on others is not checked, nor
 * filled in.
 * @throws ConfigError about these
 */
export function loadPart<N extends Name>(source: ConfigSource, names: readonly N[]): Pick<Values, N> {
  const from = surroundings(source)
  const gathered = gather(from, names)
  const { values, faults } = validate(gathered.texts, names)
  const all = [...gathered.faults, ...faults]
  if (all.length > 0) throw new ConfigError(inOrder(all))
  if (values.QUEUE_PATH !== undefined) values.QUEUE_PATH = resolve(from.cwd, values.QUEUE_PATH)
  return values as Pick<Values, N>
}

function surroundings({ env, cwd, readFile = path => readFileSync(path, 'utf8') }: ConfigSource): Surroundings {
  return { env, cwd, readFile }
}

const FROM_PLAN: Partial<Record<Name, keyof PlanLimits>> = {
  LOGTRAIL_MAX_LOG_BYTES: 'maxLogBytes',
  LOGTRAIL_MAX_BATCH: 'maxBatch',
  LOGTRAIL_MAX_DEPTH: 'maxDepth',
  LOGTRAIL_MAX_TAGS: 'maxTags',
  LOGTRAIL_REQUESTS_PER_MINUTE: 'requestsPerMinute',
  LOGTRAIL_LOGS_PER_MONTH: 'logsPerMonth'
}

function fillFromPlan({ texts, sources }: Gathered): void {
  const plan = Object.entries(PLANS).find(([name]) => name === texts.LOGTRAIL_PLAN)?.[1]
  if (!plan) return
  for (const [name, limit] of Object.entries(FROM_PLAN) as [Name, keyof PlanLimits][]) {
    if (texts[name] !== undefined) continue
    texts[name] = String(plan[limit])
    sources[name] = 'plan'
  }
}

const KIB = 1024
/** What a pooled entry may wait is felt by a browser that waits for its answer; what a queued one may wait, by nobody. */
const BATCH_MAX_WAIT = { direct: 0, pooled: 5, queued: 1000 }

/** The values that follow from others. */
function fillIn(values: Values, { sources }: Gathered, cwd: string): Values {
  const filled = { ...values, QUEUE_PATH: resolve(cwd, values.QUEUE_PATH) }
  if (filled.BODY_LIMIT === undefined) {
    const twice = 2 * filled.LOGTRAIL_MAX_BATCH * filled.LOGTRAIL_MAX_LOG_BYTES
    filled.BODY_LIMIT = Math.min(Math.max(twice, 256 * KIB), 4 * KIB * KIB)
    sources.BODY_LIMIT = 'plan'
  }
  if (filled.LOGTRAIL_ENVIRONMENT === undefined) {
    // All keys are of one environment: checkKeyPolicy.
    filled.LOGTRAIL_ENVIRONMENT = parseKey(filled.LOGTRAIL_API_KEY[0]!).environment
    sources.LOGTRAIL_ENVIRONMENT = 'key'
  }
  filled.BATCH_MAX_WAIT ??= BATCH_MAX_WAIT[filled.DELIVERY]
  if (filled.SESSION_REDIS_URL === undefined && filled.REDIS_URL !== undefined)
    filled.SESSION_REDIS_URL = filled.REDIS_URL
  return filled
}

/** Whether a variable is set, but could not be read: that is the fault, not that it is missing. */
function unreadable({ faults }: Gathered, name: string): boolean {
  return faults.some(({ variable }) => variable === name || variable === `${name}_FILE`)
}

/** In the order of the table, each once: two parts of one text may have the same fault. */
function inOrder(faults: ConfigFault[]): ConfigFault[] {
  const place = ({ variable }: ConfigFault) => NAMES.indexOf(variable.replace(/_FILE$/, '') as Name)
  const unique = new Map(faults.map(fault => [`${fault.variable} ${fault.message}`, fault]))
  return [...unique.values()].toSorted((a, b) => place(a) - place(b))
}
