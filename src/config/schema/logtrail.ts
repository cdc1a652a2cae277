import { ENVIRONMENTS } from '../../logtrail/key.js'
import { PLAN_NAMES } from '../../logtrail/plans.js'
import { choice, duration, flag, integer, keys, list, plain, size, url } from '../forms.js'
import { always, maybe } from '../variable.js'

const PLANS = { otherwise: "the plan's" }

/** The upstream: where, with which key, within which limits. */
export const logtrail = {
  LOGTRAIL_API_KEY: always(
    keys,
    undefined,
    'The write-only (`wo`) key, or two during a rotation: current, next. A file (`LOGTRAIL_API_KEY_FILE`) is watched: a new key takes over without a restart.',
    { mandatory: true, secret: true }
  ),
  LOGTRAIL_URL: always(
    url(['https', 'http'], true),
    'https://api.logtrail.net/api/v1/workspace',
    'Base address of the Logtrail Workspace API.'
  ),
  ALLOW_HTTP_HOSTS: always(
    list(plain('host')),
    '',
    'Hosts to which plain http is allowed, for all outgoing addresses (an app or a stand-in in another container); with a port (`app:3000`), to that one alone. Loopback is always allowed.'
  ),
  LOGTRAIL_ENVIRONMENT: always(
    choice(...ENVIRONMENTS),
    undefined,
    "Must match the key's. A development key where `NODE_ENV` is `production` needs it set to `development`.",
    { otherwise: "the key's" }
  ),
  LOGTRAIL_ALLOW_READ_WRITE_KEY: always(
    flag,
    'false',
    'A production key that may also read (`rw`) is refused unless this is `true`; elsewhere it is warned about.'
  ),
  LOGTRAIL_PLAN: always(
    choice(...PLAN_NAMES),
    undefined,
    'Your Logtrail plan: `free`, `developer` or `professional`. It fills the six limits below.',
    { mandatory: true }
  ),
  LOGTRAIL_MAX_LOG_BYTES: always(size('200', '1mb'), undefined, 'Largest entry, in bytes of its JSON.', PLANS),
  LOGTRAIL_MAX_BATCH: always(integer(1, 100_000), undefined, 'Entries in one bulk request.', PLANS),
  LOGTRAIL_MAX_DEPTH: always(
    integer(1, 100),
    undefined,
    'Levels within `actor`, `target`, `context` and `metadata`; the root of each counts 1.',
    PLANS
  ),
  LOGTRAIL_MAX_TAGS: always(integer(0, 1000), undefined, 'Tags of one entry.', PLANS),
  LOGTRAIL_REQUESTS_PER_MINUTE: always(
    integer(1, 1_000_000),
    undefined,
    'The budget of upstream requests. Give each of several proxies that share a key its part.',
    PLANS
  ),
  LOGTRAIL_LOGS_PER_MONTH: always(
    integer(1, 1e12),
    undefined,
    "The month's quota, shown as a metric to compare with; Logtrail itself counts.",
    PLANS
  ),
  LOGTRAIL_TIMEOUT: always(duration('100ms', '5m'), '10s', 'How long one upstream request may take.')
}

/** How entries leave, and where they wait. */
export const delivery = {
  DELIVERY: always(
    choice('direct', 'pooled', 'queued'),
    'pooled',
    "How entries leave. `direct`: one for one, with Logtrail's answer. `pooled`: many browsers' entries in one bulk request, with Logtrail's answer. `queued`: stored durably, answered 202, and sent as Logtrail allows."
  ),
  QUEUE_STORE: always(
    choice('disk', 'redis'),
    'disk',
    'Where the queue is: `disk`, or `redis` (`REDIS_URL`), which several replicas can share.',
    { when: ['DELIVERY', 'queued'] }
  ),
  QUEUE_PATH: always(
    plain('path'),
    './data/queue',
    'Directory of the queue on disk. One running proxy for a directory.'
  ),
  QUEUE_MAX_BYTES: always(
    size('1kb', '1024gb'),
    '512mb',
    'Room for waiting entries and dead letters. When it is full new entries get a 503; none of the old is dropped.',
    { when: ['DELIVERY', 'queued'] }
  ),
  QUEUE_MAX_AGE: always(duration('100ms', '3650d'), '35d', 'Entries that waited longer become dead letters.', {
    when: ['DELIVERY', 'queued']
  }),
  BATCH_MAX_WAIT: always(
    duration('0', '1m'),
    undefined,
    'Longest an entry waits for company while the budget allows sending it.',
    { otherwise: '`5ms` pooled, `1s` queued', when: ['DELIVERY', 'pooled', 'queued'] }
  ),
  POOL_MAX_PENDING: always(integer(1, 10_000_000), '10000', 'Entries that may wait in memory; more get a 503.', {
    when: ['DELIVERY', 'pooled']
  }),
  POOL_TIMEOUT: always(duration('100ms', '5m'), '15s', 'How long an entry may wait to be delivered; then a 504.', {
    when: ['DELIVERY', 'pooled']
  }),
  REDIS_URL: maybe(
    url(['redis', 'rediss']),
    'Redis (`redis://` or `rediss://`). Where set, limits are counted across replicas; the shared queue needs it.',
    { secret: true }
  )
}
