import type { FastifyBaseLogger, FastifyInstance } from 'fastify'
import type { Metrics } from '../admin/metrics.js'
import { systemClock } from '../clock.js'
import type { Config } from '../config.js'
import { type Budget, createBudget } from '../delivery/budget.js'
import type { Delivery, DeliveryOptions } from '../delivery/delivery.js'
import type { QueuedOptions } from '../delivery/queued.js'
import { deliveryRoutes, type IngestPaths, type Read } from '../delivery/routes.js'
import type { LogtrailClient } from '../logtrail/client.js'
import type { Keyring } from '../logtrail/keyring.js'
import type { Outbox, Started } from '../outbox/outbox.js'
import { type BurialLog, createBurialLog } from './burial-log.js'
import { closeRedis, connectRedis, writeTogether } from './redis.js'

/** Of one bulk request to Logtrail, which names no limit of its own. */
const MAX_BODY = 4 * 1024 * 1024

/** Longest that Redis may take for a step of the queue: then browsers get a 503. */
const COMMAND_MS = 1000

/** How entries leave that are not sent one for one. */
export interface Line {
  delivery: Delivery
  outbox: Outbox
  budget: Budget
}

export async function createLine(
  config: Config,
  client: LogtrailClient,
  keyring: Keyring,
  metrics: Metrics,
  log: FastifyBaseLogger
): Promise<Line> {
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
    onFault: error => log.warn({ err: error }, 'a request to Logtrail, or a step of the queue, failed')
  }
  return config.DELIVERY === 'pooled' ? pooled(config, common, metrics) : queued(config, common, metrics, log)
}

async function pooled(config: Config, common: DeliveryOptions, metrics: Metrics): Promise<Line> {
  const { createMemoryOutbox } = await import('../outbox/memory.js')
  const { createPooled } = await import('../delivery/pooled.js')
  const outbox = createMemoryOutbox({ maxEntries: config.POOL_MAX_PENDING })
  const onSettled = (delivered: number, rejected: number) => {
    metrics.entries('delivered', delivered)
    metrics.entries('rejected', rejected)
  }
  const delivery = createPooled({ ...common, outbox, timeout: config.POOL_TIMEOUT, onSettled })
  return { delivery, outbox, budget: common.budget }
}

async function queued(
  config: Config,
  common: DeliveryOptions,
  metrics: Metrics,
  log: FastifyBaseLogger
): Promise<Line> {
  const { createQueued } = await import('../delivery/queued.js')
  const create = config.QUEUE_STORE === 'redis' ? createShared : createOwn
  const burials = createBurialLog(log, systemClock)
  const { outbox, onDelivered, onBuried } = await create(config, metrics, log, burials.buried)
  const delivery = createQueued({ ...common, outbox, maxAge: config.QUEUE_MAX_AGE, onDelivered, onBuried })
  const stop = (ms: number) => delivery.stop(ms).finally(burials.end)
  return { delivery: { ...delivery, stop }, outbox, budget: common.budget }
}

/**
 * Opens the outbox, which takes seconds where it is large or Redis is away. Where the program is ended meanwhile nothing is
 * sent any more, and the outbox is closed again as soon as it is open.
 */
export async function startLine({ delivery }: Line, ending: AbortSignal): Promise<Started> {
  // how that went is told by whoever closes it
  const stop = () => void delivery.stop(0).catch(() => {})
  ending.addEventListener('abort', stop)
  try {
    return await delivery.start()
  } finally {
    ending.removeEventListener('abort', stop)
  }
}

/** A store of the queue, and what is to be told of what was sent from it. */
type Store = Pick<QueuedOptions, 'outbox' | 'onDelivered' | 'onBuried'>

const DISK_LEVELS = { writable: 'info', unwritable: 'error', damaged: 'error', 'no-control': 'error' } as const

async function createOwn(
  config: Config,
  metrics: Metrics,
  log: FastifyBaseLogger,
  buried: BurialLog['buried']
): Promise<Store> {
  const { createDiskOutbox } = await import('../outbox/disk.js')
  const outbox = createDiskOutbox({
    path: config.QUEUE_PATH,
    maxBytes: config.QUEUE_MAX_BYTES,
    report: ({ kind, message, setAside }) => log[DISK_LEVELS[kind]]({ kind, set_aside: setAside }, message),
    onRetried: entries => metrics.entries('inherited', entries),
    onDamaged: entries => metrics.entries('dead_letter', entries)
  })
  return {
    outbox,
    onDelivered: entries => metrics.entries('delivered', entries),
    onBuried(entries, code) {
      metrics.entries('dead_letter', entries)
      buried(entries, code)
    }
  }
}

/**
 * Over a connection of its own: an append waits for Redis' disk and replicas, and the limits must not wait with it. It counts
 * by itself what has gone, whichever replica sent it.
 */
async function createShared(
  config: Config,
  metrics: Metrics,
  log: FastifyBaseLogger,
  buried: BurialLog['buried']
): Promise<Store> {
  const { createRedisOutbox } = await import('../outbox/redis.js')
  const redis = writeTogether(await connectRedis(config.REDIS_URL!, 'queue', log, { commandTimeout: COMMAND_MS }))
  const levels = {
    sending: 'info',
    'not-sending': 'info',
    writable: 'info',
    'replicas-well': 'info',
    replicas: 'warn',
    settings: 'warn',
    unwritable: 'error'
  } as const
  const outbox = createRedisOutbox({
    redis,
    maxBytes: config.QUEUE_MAX_BYTES,
    report: ({ kind, message }) => log[levels[kind]]({ kind }, message),
    count: metrics.entries,
    close: () => closeRedis(redis)
  })
  return { outbox, onBuried: buried }
}

export function deliverBy(
  delivery: Delivery,
  app: FastifyInstance,
  paths: IngestPaths,
  read: Read,
  config: Config,
  metrics: Metrics
): void {
  const queued = config.DELIVERY === 'queued'
  deliveryRoutes(app, {
    paths,
    delivery: queued ? keepingBooks(delivery, metrics) : delivery,
    read,
    toDeliver({ visit, url }) {
      const { userId, addressKey } = visit.caller
      return {
        user: userId === undefined ? `a:${addressKey}` : `u:${userId}`,
        entries: visit.reading!.entries,
        bulk: url === paths.bulk
      }
    },
    positions: ({ visit }) => visit.reading!.positions,
    status: queued ? 202 : 201,
    leftOut: ({ visit }) => visit.reading!.filtered
  })
}

/** What is stored is `queued`; what could not be stored is refused, and so `rejected`. */
function keepingBooks(delivery: Delivery, metrics: Metrics): Pick<Delivery, 'deliver'> {
  return {
    deliver(request) {
      const { length } = request.entries
      return delivery.deliver(request).then(
        receipt => {
          metrics.entries('queued', length)
          return receipt
        },
        error => {
          metrics.entries('rejected', length)
          throw error
        }
      )
    }
  }
}

export function queueReading(outbox: Outbox | undefined): { entries: number; bytes: number; oldestAgeSeconds: number } {
  const { waiting = 0, bytes = 0, oldest } = outbox?.stats() ?? {}
  const age = oldest === undefined ? 0 : Math.max(0, Date.now() - oldest) / 1000
  return { entries: waiting, bytes, oldestAgeSeconds: age }
}

/** What /status tells of a line, once there is one. */
export function lineStatus(line: () => Line | undefined, config: Config) {
  return {
    queue() {
      const outbox = line()?.outbox
      return outbox && { ...queueReading(outbox), deadLetters: outbox.stats().deadLetters }
    },
    budget() {
      const budget = line()?.budget
      return budget && { remaining: budget.remaining(), configured: config.LOGTRAIL_REQUESTS_PER_MINUTE }
    }
  }
}

export async function deliverDirect(
  app: FastifyInstance,
  paths: IngestPaths,
  read: Read,
  config: Config,
  client: LogtrailClient,
  metrics: Metrics
): Promise<void> {
  const { direct } = await import('../delivery/direct.js')
  return direct(app, {
    paths,
    client,
    baseUrl: config.LOGTRAIL_URL,
    read,
    entries: request => request.visit.reading!.entries,
    positions: request => request.visit.reading!.positions,
    onSettled: (request, delivered) =>
      metrics.entries(delivered ? 'delivered' : 'rejected', request.visit.reading!.entries.length),
    nothingToSend: (request, reply) => reply.code(201).send({ accepted: request.visit.reading!.received })
  })
}
