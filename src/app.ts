import { setTimeout } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { DestinationStream } from 'pino'
import { createHistory } from './admin/history.js'
import { createAdminListener } from './admin/listener.js'
import { createLogger } from './admin/logger.js'
import { createMetrics } from './admin/metrics.js'
import { degradedChecks, type Phase } from './admin/readiness.js'
import { createRequestLog } from './admin/request-log.js'
import { createStatus } from './admin/status.js'
import { createChecks } from './app/checks.js'
import { createClientRoute } from './app/client.js'
import { createLine, deliverBy, deliverDirect, type Line, lineStatus, queueReading } from './app/delivery.js'
import { drainListener, LAST_WORDS_MS } from './app/drain-listener.js'
import { createLimits } from './app/limits.js'
import { limitsInForce } from './app/limits-in-force.js'
import { observeRates } from './app/observed-client.js'
import { closeRedis, connectRedis } from './app/redis.js'
import { keyPolicyOf, letsAnonymousIn, rulesOf } from './app/rules.js'
import { createSessions } from './app/sessions.js'
import { createUpstreamCheck } from './app/upstream.js'
import { createWarnings } from './app/warnings.js'
import { secretsOf } from './config/print.js'
import type { Config } from './config.js'
import { createReader } from './entry/reader.js'
import { createAddressList } from './guard/address-list.js'
import { CONNECTION_OPTIONS, MAX_CONNECTIONS } from './guard/connections.js'
import { createLogtrailClient } from './logtrail/client.js'
import { watchKeyFile } from './logtrail/key-file.js'
import { createKeyring } from './logtrail/keyring.js'
import { createPublicListener } from './public.js'
import { createSessionTagger } from './session/tag.js'
import { USER_AGENT, VERSION } from './version.js'

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

export async function startServer(config: Config, options: StartOptions = {}): Promise<RunningServer> {
  const keyring = createKeyring(config.LOGTRAIL_API_KEY)
  const secrets = new Set(secretsOf(config))
  const log = createLogger({
    level: config.LOG_LEVEL,
    secrets,
    destination: options.logDestination
  })
  let phase: Phase = 'starting'

  const sessions = await createSessions(config, log)
  const shared = config.REDIS_URL ? await connectRedis(config.REDIS_URL, 'shared limits and queue', log) : undefined
  let line: Line | undefined
  const upstream = createUpstreamCheck(config.LOGTRAIL_URL, options.ca)
  const checks = createChecks({
    phase: () => phase,
    keyring,
    sessions,
    redis: shared,
    upstream,
    direct: config.DELIVERY === 'direct',
    line: () => line
  })
  const keys = () => keyring.state().map(({ info, state }) => ({ ...info, state }))
  const metrics = createMetrics({
    keys,
    // not a check of /readyz: anybody who reaches the listener can send such a header
    degraded: () => ({ ...degradedChecks(checks), proxy_trust: history.clients().untrustedForwarding }),
    logsPerMonth: config.LOGTRAIL_LOGS_PER_MONTH,
    queue: () => queueReading(line?.outbox),
    // direct mode keeps no budget: what Logtrail says it has left, and before it says anything the plan's
    budgetRemaining: () => line?.budget.remaining() ?? observed.remaining() ?? config.LOGTRAIL_REQUESTS_PER_MINUTE
  })
  const history = createHistory(() => {
    const { received, delivered } = metrics.books()
    const { entries: waiting, oldestAgeSeconds: ageSeconds } = queueReading(line?.outbox)
    return { received, delivered, ...(line ? { waiting, ageSeconds, budget: line.budget.remaining() } : {}) }
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

  const observed = observeRates(
    createLogtrailClient({
      baseUrl: config.LOGTRAIL_URL,
      keyring,
      timeoutMs: config.LOGTRAIL_TIMEOUT,
      connections: 128,
      userAgent: USER_AGENT,
      onRequest(status, seconds) {
        upstream.saw(status)
        metrics.upstream(status, seconds)
        history.upstream(seconds)
      },
      ...(options.ca ? { ca: options.ca } : {})
    })
  )
  const { client } = observed

  if (config.DELIVERY !== 'direct') {
    line = await createLine(config, client, keyring, metrics, log)
    const { inherited, damage, setAside } = await line.delivery.start()
    metrics.entries('inherited', inherited)
    if (inherited > 0) log.info({ entries: inherited }, 'entries of an earlier run go out first')
    if (damage) log.error({ set_aside: setAside }, damage)
  }

  const tag = createSessionTagger(
    config.SESSION_TAG_SECRET ??
      config.SESSION_JWT_SECRET ??
      config.SESSION_SECRET.at(-1) ??
      config.LOGTRAIL_API_KEY[0]!
  )
  const warn = createWarnings(log)
  const clientRoute = createClientRoute()
  if (!clientRoute) log.warn('client.js is not built, and not served: run `npm run build`')
  const listener = await createPublicListener({
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
    createLimits: app => createLimits(config, app, tag, shared, log),
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
    isStopping: () => phase === 'stopping',
    onUntrustedForwarding(address) {
      history.untrustedForwarding()
      warn.untrustedForwarding(address)
    },
    delivery: (app, paths, read) =>
      line
        ? deliverBy(line.delivery, app, paths, read, config, metrics)
        : deliverDirect(app, paths, read, config, client, metrics)
  })
  const admin =
    config.ADMIN_PORT === 0
      ? undefined
      : await createAdminListener({
          metrics,
          readiness: checks,
          history,
          report: createStatus({
            version: VERSION,
            delivery: config.DELIVERY,
            readiness: checks,
            history,
            limits: limitsInForce(config),
            keys,
            books: metrics.books,
            inFlight: () => listener.drain.inFlight(),
            limitTold: observed.limit,
            ...(line ? lineStatus(line, config) : {})
          }),
          log,
          connection: CONNECTION_OPTIONS
        })

  let closed: Promise<void> | undefined
  const close = async (): Promise<void> => {
    phase = 'stopping'
    await drainListener(listener, line?.delivery, config.SHUTDOWN_TIMEOUT)
    await admin?.close()
    checks.stop()
    await keyFile?.close()
    keyring.close()
    await sessions.close()
    if (shared) closeRedis(shared)
    // what still runs has no browser waiting for it any more, and may take as long as Logtrail likes
    await Promise.race([client.close(), setTimeout(LAST_WORDS_MS, undefined, { ref: false })])
  }

  try {
    const adminUrl = await admin?.listen({ host: config.ADMIN_HOST, port: config.ADMIN_PORT })
    const publicUrl = await listener.app.listen({ host: config.HOST, port: config.PORT, backlog: MAX_CONNECTIONS })
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
