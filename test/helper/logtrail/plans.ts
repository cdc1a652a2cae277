/** Logtrail's plans as its documentation tells them: written again here, so that the stand-in can contradict src. */
export interface Limits {
  /** Bytes of one entry's raw JSON. */
  maxLogBytes: number
  /** Entries in one bulk request. */
  maxBatch: number
  /** Levels within actor, target, context and metadata; the root of each counts 1, objects and arrays both count. */
  maxDepth: number
  maxTags: number
  /** Token bucket of each key; the bucket holds one minute's worth. */
  requestsPerMinute: number
  /** Entries of the whole workspace in a month of UTC. */
  logsPerMonth: number
}

export type Plan = 'free' | 'developer' | 'professional'

export const LIMITS: Record<Plan, Limits> = {
  free: { maxLogBytes: 700, maxBatch: 50, maxDepth: 3, maxTags: 5, requestsPerMinute: 120, logsPerMonth: 5_000 },
  developer: {
    maxLogBytes: 1_024,
    maxBatch: 200,
    maxDepth: 4,
    maxTags: 10,
    requestsPerMinute: 300,
    logsPerMonth: 50_000
  },
  professional: {
    maxLogBytes: 2_048,
    maxBatch: 1_000,
    maxDepth: 5,
    maxTags: 20,
    requestsPerMinute: 1_000,
    logsPerMonth: 500_000
  }
}
