import type { EventEmitter } from 'node:events'
import type { Entry } from './entries.js'
import type { Fault, FaultMix, FaultPlan } from './faults.js'
import type { Limits, Plan } from './plans.js'
import type { Keep, Recorded, Stats, Stored, StoreEvents } from './store.js'
import type { WorkspaceOptions, WorkspaceSwitches } from './workspace.js'

export interface LogtrailOptions {
  /** Default 0: any free one. Always on 127.0.0.1. */
  port?: number
  /** PEM: https instead of http. */
  tls?: { key: string; cert: string }
  /** Default: one fresh development wo key, to be read from `key`. */
  keys?: string[]
  /** Default professional. */
  plan?: Plan
  limits?: Partial<Limits>
  /** Milliseconds; for the rate limit, the month, and the times of what is recorded. Default Date.now. */
  now?: () => number
  /** Default true. */
  enforceRate?: boolean
  errorForm?: WorkspaceOptions['errorForm']
  /** Default QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED; the other spelling is monthly_log_limit_exceeded. */
  quotaCode?: string
  /** Seconds told with a spent quota; default: no Retry-After. */
  quotaRetryAfter?: number
  answer?: WorkspaceOptions['answer']
  refuse?: WorkspaceOptions['refuse']
  tellWhich?: boolean
  naming?: WorkspaceOptions['naming']
  /** Between taking a request and answering it. */
  latencyMs?: number
  faults?: readonly (Fault | null)[]
  faultMix?: FaultMix
  keep?: Keep
  /** Default: metadata.id. */
  idOf?: (entry: Entry) => string | undefined
  /** Milliseconds an idle connection is kept; default 65 s. */
  keepAliveTimeoutMs?: number
  /** For benchmarks: answer 201 to everything, check nothing, count only (see fast.ts). */
  fast?: boolean
}

export interface Logtrail {
  /** The base address, ending in /api/v1/workspace. */
  readonly url: string
  /** http(s)://127.0.0.1:port, where the live page and /_standin are. */
  readonly origin: string
  readonly port: number
  /** The first of its keys. */
  readonly key: string
  /** What was stored, oldest first. The array lives: it grows. */
  stored(): Stored[]
  /** The stored entries alone. */
  entries(): Entry[]
  /** Every request of the API, whatever became of it. */
  readonly requests: Recorded[]
  readonly ids: Map<string, number>
  readonly stats: Stats
  readonly faults: FaultPlan
  /** May be changed while it runs: limits, errorForm, refuse, … */
  readonly switches: WorkspaceSwitches
  latencyMs: number
  usedThisMonth: number
  addKey(key: string): void
  revokeKey(key: string): void
  readonly events: EventEmitter<StoreEvents>
  on<K extends keyof StoreEvents>(event: K, listener: (...args: StoreEvents[K]) => void): void
  /** Resolves once it holds: looked at now and after everything that happens. Rejects, telling the counts, in time. */
  waitFor(predicate: (logtrail: Logtrail) => boolean, timeoutMs?: number): Promise<void>
  /** Accept connections and never read from them, until told otherwise. */
  deaf(is: boolean): void
  /** Every connection reset, the port closed: connection refused. */
  down(): Promise<void>
  /** On the same port again. */
  up(): Promise<void>
  /** Forget what was stored, recorded and planned; keys, switches and token buckets stay. */
  reset(): void
  close(): Promise<void>
}
