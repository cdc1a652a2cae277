import { createReader, type ReaderOptions, type Reading } from '../../src/entry/reader.js'
import { RefusedEntries } from '../../src/entry/refusal.js'
import { type Rules, SECRET_NAMES, type Who } from '../../src/entry/rules.js'

/** The interface's defaults, on the professional plan. */
export const RULES: Rules = {
  limits: { maxLogBytes: 2048, maxDepth: 5, maxTags: 20 },
  maxEntries: 1000,
  environment: 'production',
  stampActor: 'replace',
  stampContext: [],
  minLevel: 'trace',
  redactFields: SECRET_NAMES,
  redactPatterns: ['logtrail-key', 'jwt', 'card', 'assignment'],
  allowFields: [],
  dropFields: [],
  oversize: 'trim'
}

/** The smallest plan, where trimming happens most. */
export const FREE = { maxLogBytes: 700, maxDepth: 3, maxTags: 5 }

export const WHO: Who = { userId: 'user_123', ip: '192.0.2.7', requestId: 'req-1', receivedAt: 1_763_935_158_000 }
export const NOBODY: Who = { ip: '192.0.2.7', requestId: 'req-1', receivedAt: 1_763_935_158_000 }

export const ENTRY = { action: 'user.login', level: 'info', clientTimestamp: '2026-11-23T21:59:18.123Z' }

/** The same as JSON, open at its end for members that no object literal can hold. */
export const OPEN_ENTRY = '{"action":"user.login","level":"info","clientTimestamp":"2026-11-23T21:59:18.123Z"'

export interface Sent {
  action: string
  level: string
  clientTimestamp: string
  message?: string
  environment?: string
  actor?: Record<string, unknown>
  target?: Record<string, unknown>
  context?: Record<string, unknown>
  metadata?: Record<string, unknown>
  tags?: string[]
  [name: string]: unknown
}

function bytes(body: unknown): Buffer {
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

/** Reads under the defaults changed by `change`: strings and buffers as they are, anything else as JSON. */
export function reading(change: Partial<Rules> = {}, options: ReaderOptions = {}) {
  const reader = createReader({ ...RULES, ...change }, options)
  const single = (body: unknown, who = WHO): Reading => reader.single(bytes(body), who)
  const bulk = (body: unknown, who = WHO): Reading => reader.bulk(bytes(body), who)
  return {
    single,
    bulk,
    /** The one entry as it is sent. */
    sent: (body: unknown, who = WHO): Sent => JSON.parse(single(body, who).entries[0]!)
  }
}

export function refused(run: () => unknown): RefusedEntries {
  try {
    run()
  } catch (error) {
    if (error instanceof RefusedEntries) return error
    throw error
  }
  throw new Error('It was taken.')
}

/** Faults as `field: message`, for short comparisons. */
export function faultsOf(run: () => unknown): string[] {
  return (refused(run).faults ?? []).map(({ field, message }) => `${field}: ${message}`)
}

/** Depth as Logtrail counts it: the root is 1, objects and lists both count. */
export function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}
