import type { Limits } from './plans.js'

export interface EntryFault {
  log_index: number | null
  field: string
  message: string
}

export type Entry = Record<string, unknown>

const LEVELS = new Set(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
const ENVIRONMENTS = new Set(['development', 'staging', 'production'])
const NESTED = ['actor', 'target', 'context', 'metadata'] as const
const RFC3339 = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$/

/**
 * The raw text of each element of a JSON array: Logtrail counts an entry's bytes as they were sent, and what is sent
 * is the only thing a test can compare with. The text must be valid JSON already.
 */
export function splitArray(text: string): string[] {
  const elements: string[] = []
  let depth = 0
  let start = -1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === 0x22) {
      if (depth === 1 && start < 0) start = i
      for (i++; text.charCodeAt(i) !== 0x22; i++) if (text.charCodeAt(i) === 0x5c) i++
    } else if (code === 0x5b || code === 0x7b) {
      if (depth === 1 && start < 0) start = i
      depth++
    } else if (code === 0x5d || code === 0x7d) {
      depth--
      if (depth === 0 && start >= 0) elements.push(text.slice(start, i).trimEnd())
    } else if (depth === 1) {
      if (code === 0x2c) {
        elements.push(text.slice(start, i).trimEnd())
        start = -1
      } else if (start < 0 && code > 0x20) {
        start = i
      }
    }
  }
  return elements
}

function deeperThan(value: unknown, max: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (max === 0) return true
  for (const child of Object.values(value)) if (deeperThan(child, max - 1)) return true
  return false
}

/** Every fault of one entry, as Logtrail's documentation defines an entry. `raw` is its JSON as it was sent. */
export function checkEntry(
  entry: unknown,
  raw: string,
  index: number | null,
  limits: Limits,
  environment: string
): { faults: EntryFault[]; wrongEnvironment: boolean } {
  const faults: EntryFault[] = []
  const fault = (field: string, message: string) => faults.push({ log_index: index, field, message })
  if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
    fault('', 'must be an object')
    return { faults, wrongEnvironment: false }
  }
  const log = entry as Entry
  let wrongEnvironment = false
  if (typeof log.action !== 'string' || log.action === '') fault('action', 'is required and must be a string')
  if (!LEVELS.has(log.level as string)) fault('level', 'must be one of trace, debug, info, warn, error, fatal')
  const time = log.clientTimestamp
  if (typeof time !== 'string' || !RFC3339.test(time) || Number.isNaN(Date.parse(time))) {
    fault('clientTimestamp', 'must be an RFC 3339 date and time')
  }
  if (log.message !== undefined && typeof log.message !== 'string') fault('message', 'must be a string')
  if (log.environment !== undefined) {
    if (!ENVIRONMENTS.has(log.environment as string)) {
      fault('environment', 'must be one of development, staging, production')
    } else if (log.environment !== environment) {
      wrongEnvironment = true
      fault('environment', `the API key belongs to ${environment}`)
    }
  }
  for (const field of NESTED) {
    const value = log[field]
    if (value === undefined) continue
    if (typeof value !== 'object' || value === null || Array.isArray(value)) fault(field, 'must be an object')
    else if (deeperThan(value, limits.maxDepth)) fault(field, `is nested deeper than ${limits.maxDepth} levels`)
  }
  if (log.tags !== undefined) {
    if (!Array.isArray(log.tags) || log.tags.some(tag => typeof tag !== 'string')) {
      fault('tags', 'must be an array of strings')
    } else if (log.tags.length > limits.maxTags) {
      fault('tags', `holds more than ${limits.maxTags} tags`)
    }
  }
  const bytes = Buffer.byteLength(raw)
  if (bytes > limits.maxLogBytes) fault('', `is ${bytes} bytes long, the plan allows ${limits.maxLogBytes}`)
  return { faults, wrongEnvironment }
}
