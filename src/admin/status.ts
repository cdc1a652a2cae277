import type { History, Point, Series } from './history.js'
import type { Outcome } from './metrics.js'
import { type Phase, type Readiness, type ReadinessSource, readiness } from './readiness.js'

/** A limit, and the variable that sets it. */
export interface LimitInForce {
  variable: string
  /** For people, with its unit. */
  value: string
  meaning: string
  /** Where the value comes from, as `logtrail-bff config` says it: `default`, `plan`, `env`, a file … */
  source: string
}

/** What the composition root tells of the program. Nothing of it holds a secret. */
export interface StatusSource {
  version: string
  delivery: string
  readiness: ReadinessSource
  history: History
  limits: readonly LimitInForce[]
  keys: () => { environment: string; type: string; fingerprint: string; state: string }[]
  books: () => Record<Outcome, number>
  inFlight: () => number
  /** This and the next: undefined where there is none, or not yet. */
  queue: () => { entries: number; bytes: number; oldestAgeSeconds: number; deadLetters: number } | undefined
  budget: () => { remaining: number; configured: number } | undefined
  /** `X-RateLimit-Limit` of Logtrail's last answer that had one. */
  limitTold: () => number | undefined
  now?: () => number
}

export interface Status {
  version: string
  phase: Phase
  status: Readiness['body']['status']
  delivery: string
  startedAt: string
  uptimeSeconds: number
  inFlight: number
  checks: Readiness['body']['checks']
  keys: ReturnType<StatusSource['keys']>
  books: Record<Outcome, number>
  queue: NonNullable<ReturnType<StatusSource['queue']>> | null
  budget: { remaining: number; configured: number; limitTold: number | null; usedLastMinute: number } | null
  lastMinute: ReturnType<History['lastMinute']>
  /** Of the last five minutes. */
  refusals: Record<string, number>
  clients: ReturnType<History['clients']>
}

/** What the page is told when it opens, and then every second. */
export interface Opening {
  status: Status
  limits: readonly LimitInForce[]
  series: Record<Series, (number | null)[]>
}
export interface Second {
  status: Status
  point: Point
}

export interface StatusReport {
  /** For `/status`. */
  status(): Status & { limits: readonly LimitInForce[] }
  opening(): Opening
  second(): Second
}

export function createStatus(source: StatusSource): StatusReport {
  const { version, delivery, history, limits, now = Date.now } = source
  const startedAt = now()

  function status(): Status {
    const lastMinute = history.lastMinute()
    const { status, checks } = readiness(source.readiness).body
    const budget = source.budget()
    return {
      version,
      phase: source.readiness.phase(),
      status,
      delivery,
      startedAt: new Date(startedAt).toISOString(),
      uptimeSeconds: Math.max(0, Math.floor((now() - startedAt) / 1000)),
      inFlight: source.inFlight(),
      checks,
      keys: source.keys(),
      books: source.books(),
      queue: source.queue() ?? null,
      budget: budget ? { ...budget, limitTold: source.limitTold() ?? null, usedLastMinute: lastMinute.upstream } : null,
      lastMinute,
      refusals: history.refusals(),
      clients: history.clients()
    }
  }

  return {
    status: () => ({ ...status(), limits }),
    opening: () => ({ status: status(), limits, series: history.points() }),
    second: () => ({ status: status(), point: history.last() })
  }
}
