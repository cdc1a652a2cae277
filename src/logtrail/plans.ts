export interface PlanLimits {
  /** Bytes of one entry's raw JSON. */
  maxLogBytes: number
  /** Entries in one bulk request. */
  maxBatch: number
  /** Levels within each of `actor`, `target`, `context`, `metadata`; the root of each counts 1. */
  maxDepth: number
  /** Tags of one entry. */
  maxTags: number
  /** Requests a minute for one API key, all routes together. */
  requestsPerMinute: number
  /** Entries in a calendar month, UTC. */
  logsPerMonth: number
}

/** Logtrail's plans as its page "Plans and limits" has them (API 1.1.0). They change, so each number can be overridden. */
export const PLANS = {
  free: { maxLogBytes: 700, maxBatch: 50, maxDepth: 3, maxTags: 5, requestsPerMinute: 120, logsPerMonth: 5_000 },
  developer: {
    maxLogBytes: 1024,
    maxBatch: 200,
    maxDepth: 4,
    maxTags: 10,
    requestsPerMinute: 300,
    logsPerMonth: 50_000
  },
  professional: {
    maxLogBytes: 2048,
    maxBatch: 1000,
    maxDepth: 5,
    maxTags: 20,
    requestsPerMinute: 1000,
    logsPerMonth: 500_000
  }
} as const satisfies Readonly<Record<string, PlanLimits>>

export type PlanName = keyof typeof PLANS
export const PLAN_NAMES = Object.keys(PLANS) as PlanName[]
