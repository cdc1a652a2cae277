import { readFileSync } from 'node:fs'
import { BlockList, isIPv6 } from 'node:net'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest } from 'fastify'
import type { DestinationStream } from 'pino'
import { createAdminListener } from './admin/listener.js'
import { createLogger } from './admin/logger.js'
import { createMetrics, type Metrics } from './admin/metrics.js'
import { createMonitor } from './admin/monitor.js'
import { degradedChecks, type Phase, type ReadinessSource } from './admin/readiness.js'
import { createRequestLog } from './admin/request-log.js'
import { secretsOf } from './config/print.js'
import type { Config } from './config.js'
import { type Budget, createBudget } from './delivery/budget.js'
import { systemClock } from './delivery/clock.js'
import type { Delivery, DeliveryOptions } from './delivery/delivery.js'
import { direct } from './delivery/direct.js'
import { createPooled } from './delivery/pooled.js'
import { createQueued } from './delivery/queued.js'
import { deliveryRoutes } from './delivery/routes.js'
import { createReader } from './entry/reader.js'
import { createDrain } from './guard/drain.js'
import { createLocalLimits } from './guard/limits.js'
import { createLogtrailClient, type LogtrailClient } from './logtrail/client.js'
import { parseKey } from './logtrail/key.js'
import { watchKeyFile } from './logtrail/key-file.js'
import { createKeyring, type Keyring } from './logtrail/keyring.js'
import { createDiskOutbox } from './outbox/disk.js'
import { createMemoryOutbox } from './outbox/memory.js'
import type { Outbox } from './outbox/outbox.js'
import { createPublicListener } from './public.js'
import { createJwtSessions } from './session/jwt-sessions.js'
import { createNoSessions, type SessionSource } from './session/session.js'
import { createSessionTagger } from './session/tag.js'

/** The composition root: makes every room from the configuration, hands each the few values it needs, and ends them. */

export interface RunningServer {
  publicUrl: string
  adminUrl: string | undefined
  log: FastifyBaseLogger
  /**
   * Refuses new work, finishes what is in flight within `SHUTDOWN_TIMEOUT`, answers 503 to whoever still waits, and
   * closes everything. May be called twice.
   */
  close(): Promise<void>
}

export interface StartOptions {
  /** Where log lines go; standard output unless given. */
  logDestination?: DestinationStream
  /** PEM of a certificate authority trusted for Logtrail besides the usual ones. */
  ca?: string
}

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
const USER_AGENT = `logtrail-bff/${version}`
/** Of the time to drain, the last part is kept for answering 503 to whoever still waits. */
const LAST_WORDS_MS = 500
/** Of one bulk request to Logtrail, which names no limit of its own. */
const MAX_BODY = 4 * 1024 * 1024

export async function startServer(config: Config, options: StartOptions = {}): Promise<RunningServer> {
  const keyring = createKeyring(config.LOGTRAIL_API_KEY)
  const secrets = new Set(secretsOf(config))
  const log = createLogger({
    level: config.LOG_LEVEL,
    secrets: () => secrets,
    ...(options.logDestination ? { destination: options.logDestination } : {})
  })
  let phase: Phase = 'starting'

  const sessions = createSessions(config, message => {
    if (message === undefined) log.info('sessions can be checked again')
    else log.error({ reason: message }, 'sessions cannot be checked: requests are answered 503')
  })
  const monitor = createMonitor({ session: () => sessions.check() })
  let line: Line | undefined
  const source: ReadinessSource = {
    phase: () => phase,
    checks: {
      key: () => {
        const usable = keyring.state().some(key => key.state !== 'refused')
        return { ok: usable, message: usable ? 'no key is refused by Logtrail' : 'Logtrail refuses the API key' }
      },
      session: () => monitor.last('session'),
      ...(config.DELIVERY === 'direct'
        ? {}
        : {
            upstream: () => {
              const fault = line?.delivery.fault()
              return fault ? { ok: false, message: fault.message } : { ok: true, message: 'Logtrail takes entries' }
            },
            queue: () => {
              const stats = line?.outbox.stats()
              return { ok: stats?.writable ?? false, message: stats?.fault ?? `${stats?.waiting ?? 0} entries wait` }
            }
          })
    },
    writable: () => line === undefined || line.outbox.stats().writable
  }
  const metrics = createMetrics({
    keys: () => keyring.state().map(({ info, state }) => ({ ...info, state })),
    degraded: () => degradedChecks(source),
    logsPerMonth: config.LOGTRAIL_LOGS_PER_MONTH,
    ...(config.DELIVERY === 'direct'
      ? {}
      : { queue: () => queueReading(line?.outbox), budgetRemaining: () => line?.budget.remaining() ?? 0 })
  })
  keyring.on('refused', (key, status) => {
    log.error({ fingerprint: key.fingerprint, status }, 'Logtrail refused the API key: replace it (see "rotation")')
  })
  keyring.on('accepted', key => log.info({ fingerprint: key.fingerprint }, 'Logtrail accepts the API key'))
  keyring.on('change', key => log.warn({ fingerprint: key.fingerprint }, 'another API key is in use now'))
  const keyFile = config.keyFile
    ? watchKeyFile(config.keyFile, {
        current: config.LOGTRAIL_API_KEY,
        policy: keyPolicyOf(config),
        onKeys(keys, warnings) {
          for (const key of keys) secrets.add(key)
          for (const warning of warnings) log.warn(warning)
          keyring.replace(keys)
        },
        onFault: message => log.error(`${message}; the key in use stays`)
      })
    : undefined

  const client = createLogtrailClient({
    baseUrl: config.LOGTRAIL_URL,
    keyring,
    timeoutMs: config.LOGTRAIL_TIMEOUT,
    connections: 128,
    userAgent: USER_AGENT,
    onRequest: metrics.upstream,
    ...(options.ca ? { ca: options.ca } : {})
  })

  if (config.DELIVERY !== 'direct') {
    line = createLine(config, client, keyring, metrics, log)
    const { inherited, damage, setAside } = await line.delivery.start()
    metrics.entries('inherited', inherited)
    if (inherited > 0) log.info({ entries: inherited }, 'entries of an earlier run go out first')
    if (damage) log.error({ set_aside: setAside }, damage)
  }

  const app = await createPublicListener({
    log,
    prefix: config.ROUTE_PREFIX,
    bodyLimit: config.BODY_LIMIT,
    trustProxy: config.TRUST_PROXY,
    allowedOrigins: new Set(config.ALLOWED_ORIGINS),
    isSpared: createAddressList(config.RATE_LIMIT_ALLOWLIST),
    sessions,
    anonymous: config.ANONYMOUS === 'allow' || config.SESSION_MODE === 'none',
    tag: createSessionTagger(config.SESSION_JWT_SECRET ?? config.LOGTRAIL_API_KEY[0]!),
    reader: createReader(rulesOf(config)),
    createLimits: (app, sender) =>
      createLocalLimits(
        app,
        {
          window: config.RATE_LIMIT_WINDOW,
          address: config.RATE_LIMIT_IP_MAX,
          userRequests: config.RATE_LIMIT_MAX,
          userEntries: config.RATE_LIMIT_LOGS_MAX,
          anonymousRequests: config.RATE_LIMIT_ANONYMOUS_MAX,
          anonymousEntries: config.RATE_LIMIT_ANONYMOUS_LOGS_MAX
        },
        sender
      ),
    metrics,
    logRequest: createRequestLog(log),
    isStopping: () => phase === 'stopping',
    onUntrustedForwarding: once((address: string) => {
      log.warn(
        { address },
        'forwarding headers came from an address that TRUST_PROXY does not name, and are ignored: all users behind it look like one'
      )
    }),
    delivery: (app, read) =>
      line ? deliverBy(line.delivery, app, read, config, metrics) : deliverDirect(app, read, config, client, metrics)
  })
  const drain = createDrain(app.server)
  const admin =
    config.ADMIN_PORT === 0
      ? undefined
      : await createAdminListener({
          metrics,
          readiness: source,
          status: () => ({ version, phase, books: metrics.books(), inFlight: drain.inFlight() }),
          log
        })

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    phase = 'stopping'
    const time = Math.max(0, config.SHUTDOWN_TIMEOUT - LAST_WORDS_MS)
    await Promise.all([drain.idle(time), line?.delivery.stop(time)])
    app.server.closeIdleConnections()
    await drain.idle(LAST_WORDS_MS)
    app.server.closeAllConnections()
    await app.close()
    await admin?.close()
    monitor.stop()
    await keyFile?.close()
    keyring.close()
    await sessions.close()
    await client.close()
  }

  try {
    const adminUrl = await admin?.listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT })
    const publicUrl = await app.listen({ host: config.HOST, port: config.PORT })
    phase = 'serving'
    return {
      publicUrl,
      adminUrl,
      log,
      close: () => {
        closed ??= close()
        return closed
      }
    }
  } catch (error) {
    await close()
    throw error
  }
}

function deliverDirect(
  app: FastifyInstance,
  read: (request: FastifyRequest) => Promise<void>,
  config: Config,
  client: LogtrailClient,
  metrics: Metrics
): Promise<void> {
  return direct(app, {
    client,
    baseUrl: config.LOGTRAIL_URL,
    read,
    entries: request => request.visit.reading!.entries,
    onSettled: (request, delivered) =>
      metrics.entries(delivered ? 'delivered' : 'rejected', request.visit.reading!.entries.length),
    nothingToSend: (request, reply) => reply.code(201).send({ accepted: request.visit.reading!.received })
  })
}

/** How entries leave that are not sent one for one. */
interface Line {
  delivery: Delivery
  outbox: Outbox
  budget: Budget
}

function createLine(
  config: Config,
  client: LogtrailClient,
  keyring: Keyring,
  metrics: Metrics,
  log: FastifyBaseLogger
): Line {
  const budget = createBudget({ requestsPerMinute: config.LOGTRAIL_REQUESTS_PER_MINUTE, clock: systemClock })
  const common: DeliveryOptions = {
    client,
    budget,
    clock: systemClock,
    keyring,
    maxBatch: config.LOGTRAIL_MAX_BATCH,
    maxBytes: Math.min(MAX_BODY, config.LOGTRAIL_MAX_BATCH * (config.LOGTRAIL_MAX_LOG_BYTES + 1) + 1),
    maxWait: config.BATCH_MAX_WAIT,
    onState(degraded, cause) {
      if (degraded === null) log.info('entries go to Logtrail again')
      else log.error({ degraded, err: cause }, 'entries do not go to Logtrail at the moment')
    },
    onFault: error => log.warn({ err: error }, 'a request to Logtrail failed')
  }
  if (config.DELIVERY === 'pooled') {
    const outbox = createMemoryOutbox({ maxEntries: config.POOL_MAX_PENDING })
    const onSettled = (delivered: number, rejected: number) => {
      metrics.entries('delivered', delivered)
      metrics.entries('rejected', rejected)
    }
    return { outbox, budget, delivery: createPooled({ ...common, outbox, timeout: config.POOL_TIMEOUT, onSettled }) }
  }
  const outbox = createDiskOutbox({
    path: config.QUEUE_PATH,
    maxBytes: config.QUEUE_MAX_BYTES,
    report: ({ kind, message, setAside }) =>
      kind === 'writable' ? log.info(message) : log.error({ kind, set_aside: setAside }, message)
  })
  const delivery = createQueued({
    ...common,
    outbox,
    maxAge: config.QUEUE_MAX_AGE,
    onDelivered: entries => metrics.entries('delivered', entries),
    onBuried(entries, code) {
      metrics.entries('dead_letter', entries)
      log.error({ entries, code }, 'entries became dead letters: see `logtrail-bff dead-letters list`')
    }
  })
  return { outbox, budget, delivery }
}

function deliverBy(
  delivery: Delivery,
  app: FastifyInstance,
  read: (request: FastifyRequest) => Promise<void>,
  config: Config,
  metrics: Metrics
): void {
  const queued = config.DELIVERY === 'queued'
  deliveryRoutes(app, {
    delivery: queued ? keepingBooks(delivery, metrics) : delivery,
    read,
    toDeliver({ visit, routeOptions }) {
      const { userId, addressKey } = visit.sender
      return {
        user: userId === undefined ? `a:${addressKey}` : `u:${userId}`,
        entries: visit.reading!.entries,
        bulk: routeOptions.url?.endsWith('/bulk') === true
      }
    },
    status: queued ? 202 : 201,
    onReceipt: ({ visit }, receipt) => ({ ...receipt, accepted: receipt.accepted + visit.reading!.filtered })
  })
}

/** What is stored is `queued`; what could not be stored is refused, and so `rejected`. */
function keepingBooks(delivery: Delivery, metrics: Metrics): Pick<Delivery, 'deliver'> {
  return {
    async deliver(request) {
      try {
        const receipt = await delivery.deliver(request)
        metrics.entries('queued', request.entries.length)
        return receipt
      } catch (error) {
        metrics.entries('rejected', request.entries.length)
        throw error
      }
    }
  }
}

function queueReading(outbox: Outbox | undefined): { entries: number; bytes: number; oldestAgeSeconds: number } {
  const { waiting = 0, bytes = 0, oldest } = outbox?.stats() ?? {}
  const age = oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000
  return { entries: waiting, bytes, oldestAgeSeconds: age }
}

function createSessions(config: Config, onFault: (message: string | undefined) => void): SessionSource {
  if (config.SESSION_MODE === 'none') return createNoSessions()
  const key = config.SESSION_JWT_SECRET
    ? { secret: config.SESSION_JWT_SECRET }
    : config.SESSION_JWT_PUBLIC_KEY
      ? { publicKey: config.SESSION_JWT_PUBLIC_KEY }
      : { jwksUrl: config.SESSION_JWKS_URL! }
  return createJwtSessions({
    cookie: config.SESSION_COOKIE,
    userClaim: config.SESSION_USER_CLAIM,
    key,
    algorithms: listed(config.SESSION_JWT_ALGORITHMS),
    issuer: listed(config.SESSION_JWT_ISSUER),
    audience: listed(config.SESSION_JWT_AUDIENCE),
    clockSkewMs: config.SESSION_JWT_CLOCK_SKEW,
    userAgent: USER_AGENT,
    onFault
  })
}

/** An empty list is one that was not set. */
function listed(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values
}

function rulesOf(config: Config): Parameters<typeof createReader>[0] {
  const split = config.RATE_LIMIT_LOGS_MAX === 0 ? Number.POSITIVE_INFINITY : config.RATE_LIMIT_LOGS_MAX
  return {
    limits: {
      maxLogBytes: config.LOGTRAIL_MAX_LOG_BYTES,
      maxBatch: config.LOGTRAIL_MAX_BATCH,
      maxDepth: config.LOGTRAIL_MAX_DEPTH,
      maxTags: config.LOGTRAIL_MAX_TAGS
    },
    maxEntries: config.DELIVERY === 'direct' ? config.LOGTRAIL_MAX_BATCH : split,
    environment: config.LOGTRAIL_ENVIRONMENT ?? parseKey(config.LOGTRAIL_API_KEY[0]!).environment,
    stampActor: config.STAMP_ACTOR,
    stampContext: config.STAMP_CONTEXT,
    minLevel: config.MIN_LEVEL,
    redactFields: config.REDACT_FIELDS,
    redactPatterns: config.REDACT_PATTERNS,
    allowFields: config.ALLOW_FIELDS,
    dropFields: config.DROP_FIELDS,
    oversize: config.OVERSIZE
  }
}

function keyPolicyOf(config: Config) {
  return {
    environment: config.LOGTRAIL_ENVIRONMENT,
    allowReadWrite: config.LOGTRAIL_ALLOW_READ_WRITE_KEY,
    nodeEnv: process.env.NODE_ENV
  }
}

function createAddressList(entries: readonly string[]): (address: string) => boolean {
  if (entries.length === 0) return () => false
  const list = new BlockList()
  for (const entry of entries) {
    const [address, bits] = entry.split('/') as [string, string | undefined]
    const family = isIPv6(address) ? 'ipv6' : 'ipv4'
    if (bits === undefined) list.addAddress(address, family)
    else list.addSubnet(address, Number(bits), family)
  }
  return address => list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

function once<A extends unknown[]>(run: (...args: A) => void): (...args: A) => void {
  let done = false
  return (...args) => {
    if (done) return
    done = true
    run(...args)
  }
}
