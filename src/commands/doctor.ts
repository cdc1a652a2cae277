import querystring from 'node:querystring'
import { createLogger, mask } from '../admin/logger.js'
import { rulesOf } from '../app/rules.js'
import { createSessions } from '../app/sessions.js'
import { secretsOf } from '../config/print.js'
import { type Config, loadConfig } from '../config.js'
import { USER_AGENT } from '../version.js'
import { bounded, type Check, failed, ok, warning } from './doctor/check.js'
import { describeEntry, reportEntry } from './doctor/entry.js'
import { checkLogtrail } from './doctor/logtrail.js'
import { checkQueue } from './doctor/queue.js'
import { checkRedis } from './doctor/redis.js'
import { askRunning, judgeProxyTrust } from './doctor/running.js'
import { EXIT, type Io, printable } from './io.js'

export interface DoctorFlags {
  json?: boolean
  /** A file to explain instead. */
  entry?: string
}

export interface DoctorOptions {
  timeoutMs?: number
  now?: () => number
  /** PEM of a certificate authority trusted for Logtrail besides the usual ones. */
  ca?: string
}

/** Beyond each check's own bound, for what it does around the question. */
const SPARE_MS = 1000

/**
 * Checks what the proxy rests on, all at once, and says what to change. Resolves with 0 where nothing failed, else 1; with
 * `--entry`, 1 where the entry would be refused.
 * @throws ConfigError
 */
export async function doctor(io: Io, flags: DoctorFlags, options: DoctorOptions = {}): Promise<number> {
  const config = loadConfig(io)
  const secrets = allSecretsOf(config)
  const say = (text: string): void => io.out(`${printable(mask(text, secrets))}\n`)
  if (flags.entry !== undefined) {
    try {
      const report = await reportEntry(io.cwd, flags.entry, rulesOf(config))
      if (flags.json) say(JSON.stringify(report))
      else for (const line of describeEntry(report)) say(line)
      return report.ok ? EXIT.WELL : EXIT.FAULT
    } catch (error) {
      io.err(`${printable((error as Error).message)}\n`)
      return EXIT.FAULT
    }
  }
  const checks = await runChecks(config, options)
  const good = checks.every(({ status }) => status !== 'failed')
  if (flags.json) {
    say(JSON.stringify({ ok: good, checks }))
    return good ? EXIT.WELL : EXIT.FAULT
  }
  const width = Math.max(...checks.map(({ name }) => name.length))
  for (const { name, status, message, change } of checks) {
    say(`${status.padEnd(9)}${name.padEnd(width)}  ${message}`)
    if (change !== undefined) say(`${' '.repeat(9 + width)}  -> ${change}`)
  }
  const count = (wanted: Check['status']) => checks.filter(({ status }) => status === wanted).length
  say(`${count('ok')} ok, ${count('warning')} warnings, ${count('failed')} failed.`)
  return good ? EXIT.WELL : EXIT.FAULT
}

async function runChecks(config: Config, options: DoctorOptions): Promise<Check[]> {
  const { now = Date.now, ca } = options
  const timeoutMs = options.timeoutMs ?? Math.min(5000, config.LOGTRAIL_TIMEOUT)
  const running = askRunning(config.ADMIN_HOST, config.ADMIN_PORT, timeoutMs)
  // key and plan are asked one after the other, and so are a Redis' connection and commands
  const found = await Promise.all([
    bounded('key', 2 * timeoutMs + SPARE_MS, () =>
      checkLogtrail({
        baseUrl: config.LOGTRAIL_URL,
        keys: config.LOGTRAIL_API_KEY,
        plan: config.LOGTRAIL_PLAN,
        maxLogBytes: config.LOGTRAIL_MAX_LOG_BYTES,
        maxDepth: config.LOGTRAIL_MAX_DEPTH,
        maxTags: config.LOGTRAIL_MAX_TAGS,
        requestsPerMinute: config.LOGTRAIL_REQUESTS_PER_MINUTE,
        observedPerMinute: async () => (await running)?.budget?.limitTold ?? undefined,
        userAgent: USER_AGENT,
        timeoutMs,
        now,
        ca
      })
    ),
    bounded('session', timeoutMs + SPARE_MS, async () => [await checkSession(config, timeoutMs)]),
    ...redisOf(config).map(redis =>
      bounded(redis.name, 2 * timeoutMs + SPARE_MS, () => checkRedis({ ...redis, timeoutMs }))
    ),
    ...(config.DELIVERY === 'queued' && config.QUEUE_STORE === 'disk'
      ? [
          bounded('queue', timeoutMs + SPARE_MS, async () => [
            await checkQueue(config.QUEUE_PATH, config.QUEUE_MAX_BYTES)
          ])
        ]
      : []),
    running.then(status => [judgeProxyTrust(status, config.TRUST_PROXY, config.ADMIN_PORT)])
  ])
  const warnings = config.warnings.map(message =>
    warning('configuration', message, 'Correct or remove it; `logtrail-bff config` shows what is in force.')
  )
  return [...found.flat(), ...(warnings.length > 0 ? warnings : [ok('configuration', 'no warnings')])]
}

/** Each Redis that is used, once. */
function redisOf(config: Config) {
  const { REDIS_URL, SESSION_REDIS_URL, SESSION_MODE } = config
  const keepsQueue = config.DELIVERY === 'queued' && config.QUEUE_STORE === 'redis'
  const shared = { name: 'redis', variable: 'REDIS_URL', keepsQueue }
  const stored = { name: 'session redis', variable: 'SESSION_REDIS_URL', keepsQueue: false }
  return [
    ...(REDIS_URL ? [{ ...shared, url: REDIS_URL }] : []),
    ...(SESSION_REDIS_URL && SESSION_REDIS_URL !== REDIS_URL && SESSION_MODE === 'redis'
      ? [{ ...stored, url: SESSION_REDIS_URL }]
      : [])
  ]
}

const SESSION_CHANGE = {
  none: 'Set SESSION_MODE.',
  jwt: 'Set SESSION_JWKS_URL to the key set of whoever signs the sessions, and let this machine reach it.',
  'forward-auth':
    'Set SESSION_AUTH_URL to an address of the app that answers 401 without a session, and let this machine reach it.',
  redis: "Set SESSION_REDIS_URL (or REDIS_URL) to the app's session store, and let this machine reach it."
}

/** A store that is still being connected to is asked again: it would be by a request, too. */
async function checkSession(config: Config, timeoutMs: number): Promise<Check> {
  const silent = createLogger({ level: 'silent', secrets: [] })
  const source = await createSessions(config, silent)
  const until = performance.now() + timeoutMs
  try {
    for (;;) {
      const { ok: good, message } = await source.check()
      if (good) return ok('session', `${config.SESSION_MODE}: ${message}`)
      if (config.SESSION_MODE !== 'redis' || performance.now() > until) {
        return failed('session', `${config.SESSION_MODE}: ${message}`, SESSION_CHANGE[config.SESSION_MODE])
      }
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  } finally {
    await source.close()
  }
}

/** An address is a secret as a whole; the user and password within it are so by themselves, too. */
function allSecretsOf(config: Config): string[] {
  return secretsOf(config).flatMap(secret => {
    if (!URL.canParse(secret)) return [secret]
    const { password } = new URL(secret)
    // unlike decodeURIComponent it takes what is no encoding, too
    return [secret, password, querystring.unescape(password)]
  })
}
