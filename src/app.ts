import { setTimeout as pause } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Redis } from 'ioredis'
import type { DestinationStream, Logger } from 'pino'
import { createAdminListener } from './admin/listener.js'
import { createLogger } from './admin/logger.js'
import { createRequestLog } from './admin/request-log.js'
import { createClientRoute } from './app/client.js'
import { createLine, deliverBy, deliverDirect, type Line, startLine } from './app/delivery.js'
import { drainListener, LAST_WORDS_MS } from './app/drain-listener.js'
import { openKeys } from './app/keys.js'
import { createLimits } from './app/limits.js'
import { createObservation, type Observation, type State } from './app/observation.js'
import { type ObservedClient, observeRates } from './app/observed-client.js'
import { closeRedis, connectRedis } from './app/redis.js'
import { letsAnonymousIn, rulesOf } from './app/rules.js'
import { createSessions, createTagger } from './app/sessions.js'
import { createUpstreamCheck } from './app/upstream.js'
import { createWarnings } from './app/warnings.js'
import { secretsOf } from './config/print.js'
import type { Config } from './config.js'
import { createReader } from './entry/reader.js'
import { createAddressList } from './guard/address-list.js'
import { CONNECTION_OPTIONS, MAX_CONNECTIONS } from './guard/connections.js'
import { createLogtrailClient, type LogtrailClientOptions } from './logtrail/client.js'
import type { Keyring } from './logtrail/keyring.js'
import { createPublicListener, type PublicListener } from './public.js'
import type { SessionSource } from './session/session.js'
import { USER_AGENT } from './version.js'

/** The composition root: makes every room from the configuration, hands each the few values it needs, and ends them. */

export interface Server {
  log: FastifyBaseLogger
  /**
   * Opens everything: the admin listener before what may take seconds, the public one last. May be called twice.
   * @throws what kept it from starting, with all closed again; AbortError where `close` was called meanwhile
   */
  start(): Promise<Addresses>
  /**
   * Refuses new work, finishes what is in flight within `SHUTDOWN_TIMEOUT`, answers 503 to whoever still waits, and
   * closes everything. A start that is under way ends at its next step, and is waited for as long. May be called twice.
   */
  close(): Promise<void>
}

export interface Addresses {
  publicUrl: string
  adminUrl: string | undefined
}

export interface ServerOptions {
  /** Where log lines go; standard output unless given. */
  logDestination?: DestinationStream
  /** PEM of a certificate authority trusted for Logtrail besides the usual ones. */
  ca?: string
}

/** A run of the program, from its start to its end. */
interface Run {
  config: Config
  ca: string | undefined
  log: Logger
  secrets: Set<string>
  state: State
  /** Aborted when it is to end. */
  ending: AbortController
  opening: Promise<Addresses> | undefined
  /** What closes that which is open, in the order of the opening. */
  closings: (() => unknown)[]
}

/** What stands before the first listener opens. */
interface Parts {
  keyring: Keyring
  sessions: SessionSource
  redis: Redis | undefined
  logtrail: ObservedClient
  observation: Observation
}

export function createServer(config: Config, { logDestination, ca }: ServerOptions = {}): Server {
  const secrets = new Set(secretsOf(config))
  const log = createLogger({ level: config.LOG_LEVEL, secrets, destination: logDestination })
  const state: State = { phase: 'starting', line: undefined, listener: undefined }
  const ending = new AbortController()
  const run: Run = { config, ca, log, secrets, state, ending, opening: undefined, closings: [] }
  let started: Promise<Addresses> | undefined
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= end(run)
    return closed
  }
  return {
    log,
    start() {
      started ??= begin(run, close)
      return started
    },
    close
  }
}

async function begin(run: Run, close: () => Promise<void>): Promise<Addresses> {
  run.opening = open(run)
  try {
    return await run.opening
  } catch (error) {
    run.ending.signal.throwIfAborted()
    // what kept it from starting is told, not what came of that
    await close().catch(() => {})
    throw error
  }
}

async function end({ config, state, ending, opening, closings }: Run): Promise<void> {
  state.phase = 'stopping'
  ending.abort()
  // nothing is closed while a step of the start is still at work on it
  await Promise.race([Promise.allSettled([opening]), pause(config.SHUTDOWN_TIMEOUT, undefined, { ref: false })])
  const faults: unknown[] = []
  for (const close of closings.reverse()) {
    try {
      await close()
    } catch (error) {
      // the others are closed all the same
      faults.push(error)
    }
  }
  if (faults.length > 0) throw faults[0]
}

/** Keeps what closes something that was opened just now. @throws AbortError where the program is to end */
function opened({ closings, ending }: Run, close: () => unknown): void {
  closings.push(close)
  ending.signal.throwIfAborted()
}

/** From Logtrail's end of an entry's trip to the browser's: what is open can rest upon what was opened before. */
async function open(run: Run): Promise<Addresses> {
  const parts = await openParts(run)
  const adminUrl = await openAdmin(run, parts.observation)
  const line = run.config.DELIVERY === 'direct' ? undefined : await openLine(run, parts)
  const publicUrl = await openPublic(run, parts, line)
  run.ending.signal.throwIfAborted()
  run.state.phase = 'serving'
  return { publicUrl, adminUrl }
}

async function openParts(run: Run): Promise<Parts> {
  const { config, ca, log, secrets, state } = run
  const { keyring, close } = openKeys(config, log, secrets)
  opened(run, close)
  const sessions = await createSessions(config, log)
  opened(run, () => sessions.close())
  const redis = config.REDIS_URL ? await connectRedis(config.REDIS_URL, 'shared limits and queue', log) : undefined
  if (redis) opened(run, () => closeRedis(redis))
  const upstream = createUpstreamCheck(config.LOGTRAIL_URL, ca)
  const logtrail = createClient(config, ca, keyring, (status, seconds) => {
    upstream.saw(status)
    observation.metrics.upstream(status, seconds)
    observation.history.upstream(seconds)
  })
  // what still runs has no browser waiting for it any more, and may take as long as Logtrail likes
  opened(run, () => Promise.race([logtrail.client.close(), pause(LAST_WORDS_MS, undefined, { ref: false })]))
  const observation = createObservation(config, { state, keyring, sessions, redis, upstream, logtrail })
  opened(run, observation.checks.stop)
  return { keyring, sessions, redis, logtrail, observation }
}

function createClient(
  config: Config,
  ca: string | undefined,
  keyring: Keyring,
  onRequest: LogtrailClientOptions['onRequest']
): ObservedClient {
  return observeRates(
    createLogtrailClient({
      baseUrl: config.LOGTRAIL_URL,
      keyring,
      timeoutMs: config.LOGTRAIL_TIMEOUT,
      connections: 128,
      userAgent: USER_AGENT,
      onRequest,
      ...(ca ? { ca } : {})
    })
  )
}

/** Open from here on: a probe that asks whether the program lives is answered however long the rest takes. */
async function openAdmin(run: Run, observation: Observation): Promise<string | undefined> {
  const { config, log } = run
  if (config.ADMIN_PORT === 0) return undefined
  const { checks, metrics, history, report } = observation
  const admin = await createAdminListener({
    metrics,
    readiness: checks,
    history,
    report,
    log,
    connection: CONNECTION_OPTIONS
  })
  opened(run, () => admin.close())
  return admin.listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT })
}

async function openLine(run: Run, parts: Parts): Promise<Line> {
  const { config, log, state, ending } = run
  const { metrics } = parts.observation
  const line = await createLine(config, parts.logtrail.client, parts.keyring, metrics, log)
  // closed already where it was in use; one that is still being opened has had its time
  opened(run, () => Promise.race([line.delivery.stop(0), pause(LAST_WORDS_MS, undefined, { ref: false })]))
  const { inherited, damage, setAside } = await startLine(line, ending.signal)
  // told where the start is to end too: the next one finds the queue repaired
  if (damage) log.error({ set_aside: setAside }, damage)
  ending.signal.throwIfAborted()
  state.line = line
  metrics.entries('inherited', inherited)
  if (inherited > 0) log.info({ entries: inherited }, 'entries of an earlier run go out first')
  return line
}

async function openPublic(run: Run, parts: Parts, line: Line | undefined): Promise<string> {
  const { config, state } = run
  const listener = await createListener(run, parts, line)
  opened(run, () => drainListener(listener, line?.delivery, config.SHUTDOWN_TIMEOUT))
  state.listener = listener
  return listener.app.listen({ host: config.HOST, port: config.PORT, backlog: MAX_CONNECTIONS })
}

async function createListener(
  { config, log, state }: Run,
  { sessions, redis, logtrail, observation: { metrics, history } }: Parts,
  line: Line | undefined
): Promise<PublicListener> {
  const tag = createTagger(config)
  const warn = createWarnings(log)
  const clientRoute = createClientRoute()
  if (!clientRoute) log.warn('client.js is not built, and not served: run `npm run build`')
  return createPublicListener({
    log,
    prefix: config.ROUTE_PREFIX,
    bodyLimit: config.BODY_LIMIT,
    trustProxy: config.TRUST_PROXY,
    allowedOrigins: new Set(config.ALLOWED_ORIGINS),
    isSpared: createAddressList(config.RATE_LIMIT_ALLOWLIST),
    onAddress: history.client,
    sessions,
    anonymous: letsAnonymousIn(config),
    tag,
    reader: createReader(rulesOf(config)),
    createLimits: app => createLimits(config, app, tag, redis, log),
    ...(clientRoute ? { client: clientRoute } : {}),
    metrics,
    planLimit: code =>
      code === 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED'
        ? config.LOGTRAIL_LOGS_PER_MONTH
        : config.LOGTRAIL_REQUESTS_PER_MINUTE,
    logRequest: createRequestLog(log),
    onEnd(status, errorCode, durationMs, tag) {
      history.request(status, errorCode, durationMs)
      history.user(tag)
    },
    onOverload: warn.overload,
    isStopping: () => state.phase === 'stopping',
    onUntrustedForwarding(address) {
      history.untrustedForwarding()
      warn.untrustedForwarding(address)
    },
    delivery: (app, paths, read) =>
      line
        ? deliverBy(line.delivery, app, paths, read, config, metrics)
        : deliverDirect(app, paths, read, config, logtrail.client, metrics)
  })
}
