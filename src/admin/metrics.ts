import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'

/**
 * What becomes of entries. The books: received + inherited = filtered + delivered + waiting + rejected + dead_letter.
 * Dead letters that are retried beside the running program are inherited anew, as they would be after a restart: `dead_letter`
 * counts burials, and an entry can be buried again.
 * `queued` `trimmed` `redacted` tell more of entries that are in the books already.
 */
export const OUTCOMES = [
  'received',
  'inherited',
  'filtered',
  'delivered',
  'queued',
  'rejected',
  'dead_letter',
  'trimmed',
  'redacted'
] as const
export type Outcome = (typeof OUTCOMES)[number]

/** What the gauges read at a scrape. */
export interface Readings {
  /** Nothing waits where there is no queue. */
  queue: () => { entries: number; bytes: number; oldestAgeSeconds: number }
  budgetRemaining: () => number
  keys: () => { environment: string; type: string; fingerprint: string; state: string }[]
  degraded: () => Record<string, boolean>
  logsPerMonth: number
}

export interface Metrics {
  registry: Registry
  entries(outcome: Outcome, count: number): void
  request(route: string, status: number, errorCode: string): void
  /** @param status Logtrail's, or `error` where none came; @param seconds from the first byte sent to the last read */
  upstream(status: number | 'error', seconds: number): void
  /** Entries by outcome since the start, for the status page and the tests of the books. */
  books(): Record<Outcome, number>
}

/** The metrics of the interface, in a registry of their own. No label's values grow with users or input. */
export function createMetrics(readings: Readings): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const prefix = 'logtrail_bff_'
  collectDefaultMetrics({ register: registry })

  const books = Object.fromEntries(OUTCOMES.map(outcome => [outcome, 0])) as Record<Outcome, number>
  new Counter({
    name: `${prefix}entries_total`,
    help: 'Log entries by what became of them.',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset()
      for (const outcome of OUTCOMES) this.inc({ outcome }, books[outcome])
    }
  })

  // counted here and told at a scrape: prom-client would hash the labels at every request
  const answers = new Map<string, { status: number; error_code: string; count: number }[]>()
  new Counter({
    name: `${prefix}requests_total`,
    help: 'Requests of browsers by route, HTTP status and error code.',
    labelNames: ['route', 'status', 'error_code'] as const,
    registers,
    collect() {
      this.reset()
      for (const [route, kinds] of answers) {
        for (const { status, error_code, count } of kinds) this.inc({ route, status, error_code }, count)
      }
    }
  })
  const upstreamRequests = new Counter({
    name: `${prefix}upstream_requests_total`,
    help: 'Requests to Logtrail by HTTP status, `error` where no answer came.',
    labelNames: ['status'] as const,
    registers
  })
  const upstreamDuration = new Histogram({
    name: `${prefix}upstream_duration_seconds`,
    help: 'Duration of requests to Logtrail.',
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30],
    registers
  })

  function gauge(name: string, help: string, read: () => number): void {
    new Gauge({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.set(read())
      }
    })
  }
  const { queue, budgetRemaining } = readings
  gauge('queue_entries', 'Entries that wait for delivery.', () => queue().entries)
  gauge('queue_bytes', 'Bytes that waiting entries and dead letters take.', () => queue().bytes)
  gauge('queue_oldest_age_seconds', 'Age of the oldest waiting entry.', () => queue().oldestAgeSeconds)
  gauge('budget_remaining', 'Requests to Logtrail that may be sent at once.', budgetRemaining)
  gauge('plan_logs_per_month', "Log entries a month that Logtrail's plan allows.", () => readings.logsPerMonth)
  new Gauge({
    name: `${prefix}degraded`,
    help: '1 where something is amiss: a check of /readyz, or proxy_trust.',
    labelNames: ['check'] as const,
    registers,
    collect() {
      for (const [check, bad] of Object.entries(readings.degraded())) this.set({ check }, bad ? 1 : 0)
    }
  })
  new Gauge({
    name: `${prefix}key_info`,
    help: 'The API keys in use: environment, type, fingerprint (never the key) and state.',
    labelNames: ['environment', 'type', 'fingerprint', 'state'] as const,
    registers,
    collect() {
      this.reset()
      for (const key of readings.keys()) this.set(key, 1)
    }
  })

  // prom-client hashes the labels at every inc(): the children are made once
  const upstreamChildren = new Map<number | string, { inc(): void }>()
  return {
    registry,
    entries(outcome, count) {
      books[outcome] += count
    },
    request(route, status, error_code) {
      const kinds = answers.get(route) ?? []
      if (kinds.length === 0) answers.set(route, kinds)
      for (const kind of kinds) {
        if (kind.status === status && kind.error_code === error_code) {
          kind.count++
          return
        }
      }
      kinds.push({ status, error_code, count: 1 })
    },
    upstream(status, seconds) {
      let child = upstreamChildren.get(status)
      if (!child) {
        child = upstreamRequests.labels({ status })
        upstreamChildren.set(status, child)
      }
      child.inc()
      upstreamDuration.observe(seconds)
    },
    books: () => ({ ...books })
  }
}
