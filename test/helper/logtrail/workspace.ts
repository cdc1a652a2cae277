import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'
import { type Bucket, createBucket, type Take } from './bucket.js'
import { checkEntry, type Entry, type EntryFault, splitArray } from './entries.js'
import { type Environment, type KeyType, keyOf, readKey } from './keys.js'
import type { Limits } from './plans.js'

export interface Answer {
  status: number
  headers: Record<string, string>
  body: string
}

export interface Accepted {
  entry: Entry
  raw: string
  /** Its place in the bulk request; null for a single entry. */
  index: number | null
}

/** Why Logtrail, but not the proxy, would refuse an entry: what tests of splitting need. */
export type Refuse = (entry: Entry) => { field: string; message: string } | undefined

export interface WorkspaceOptions {
  keys: string[]
  limits: Limits
  now: () => number
  enforceRate: boolean
  /** `other` is the second form that one page of the documentation shows. */
  errorForm: 'reference' | 'other'
  quotaCode: string
  quotaRetryAfter: number | undefined
  /** The body of a 201 is not documented: something, or nothing. */
  answer: 'json' | 'empty'
  refuse: Refuse | undefined
  /** Whether a 400 lists the offending entries; false says only that some were. */
  tellWhich: boolean
  /** Other indexes than those of the offending entries, for a 400 to a bulk that lists some. */
  naming: ((bad: readonly number[], length: number) => readonly number[]) | undefined
}

/** What may be changed while it runs. */
export type WorkspaceSwitches = Omit<WorkspaceOptions, 'keys' | 'now'>

export interface Admitted {
  key: string
  environment: Environment
  type: KeyType
  rate: Take | undefined
}

export interface Workspace {
  switches: WorkspaceSwitches
  addKey(key: string): void
  revokeKey(key: string): void
  readonly keys: readonly string[]
  /** Entries that count against this month's quota; can be set. */
  usedThisMonth: number
  /** Key and rate limit, by the headers alone: an answer when it ends here. Takes a token. */
  admit(method: string, path: string, headers: IncomingHttpHeaders): Admitted | Answer
  /** All the rest. `accepted` is what is to be stored, whole or not at all. */
  handle(who: Admitted, method: string, path: string, contentType: string | undefined, body: Buffer): Handled
  error(status: number, code: string, message: string, details?: object): Answer
}

export interface Handled {
  answer: Answer
  accepted: Accepted[]
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const WRITES = new Set(['POST /logs', 'POST /logs/bulk', 'POST /logs/validate'])
const READS = /^(GET \/logs(\/[^/]+)?|POST \/logs\/query|GET \/info|GET \/usage)$/
/** "A rate limit of its own", says the documentation, and not which. */
const VALIDATIONS_PER_MINUTE = 60

export function isAnswer(value: Admitted | Answer): value is Answer {
  return 'status' in value
}

export function createWorkspace(
  { keys: firstKeys, now, ...rest }: WorkspaceOptions,
  stored: () => unknown[]
): Workspace {
  const keys = new Set(firstKeys)
  const buckets = new Map<string, Bucket>()
  const switches: WorkspaceSwitches = rest
  let month = new Date(now()).toISOString().slice(0, 7)
  let used = 0

  function quotaUsed(): number {
    const current = new Date(now()).toISOString().slice(0, 7)
    if (current !== month) {
      month = current
      used = 0
    }
    return used
  }

  function json(status: number, body: unknown, headers: Record<string, string> = {}): Answer {
    return {
      status,
      headers: { 'content-type': 'application/json; charset=utf-8', ...headers },
      body: JSON.stringify(body)
    }
  }

  function error(status: number, code: string, message: string, details?: object, headers = {}): Answer {
    if (switches.errorForm === 'reference') {
      return json(status, { error_code: code, message, request_id: randomUUID(), ...(details && { details }) }, headers)
    }
    const param = (details as { errors?: EntryFault[] } | undefined)?.errors?.[0]?.field ?? null
    const type =
      status === 401 || status === 403
        ? 'authentication_error'
        : status === 429
          ? 'rate_limit_error'
          : 'invalid_request_error'
    return json(status, { error: { type: status >= 500 ? 'api_error' : type, message, code, param } }, headers)
  }

  function take(name: string, perMinute: number): Take {
    const id = `${name} ${perMinute}`
    const bucket = buckets.get(id) ?? createBucket(perMinute, now)
    buckets.set(id, bucket)
    return bucket.take()
  }

  function rateHeaders(rate: Take | undefined): Record<string, string> {
    if (!rate) return {}
    return {
      'x-ratelimit-limit': String(rate.limit),
      'x-ratelimit-remaining': String(rate.remaining),
      'x-ratelimit-reset': String(rate.reset)
    }
  }

  function admit(method: string, path: string, headers: IncomingHttpHeaders): Admitted | Answer {
    const key = keyOf(headers)
    if (key === undefined) return error(401, 'AUTH_MISSING_API_KEY', 'No API key was sent.')
    const kind = keys.has(key) ? readKey(key) : undefined
    if (!kind) return error(401, 'AUTH_INVALID_API_KEY', 'The API key is not valid.')
    const route = `${method} ${path}`
    if (!WRITES.has(route) && !READS.test(route)) return error(404, 'NOT_FOUND', 'There is no such route.')
    if (kind.type === (WRITES.has(route) ? 'ro' : 'wo')) {
      return error(403, 'AUTH_API_KEY_SCOPE_MISMATCH', 'The API key does not have the scope for this.')
    }
    if (!switches.enforceRate) return { key, ...kind, rate: undefined }
    const validating = path === '/logs/validate'
    const rate = take(
      key + (validating ? ' validate' : ''),
      validating ? VALIDATIONS_PER_MINUTE : switches.limits.requestsPerMinute
    )
    if (rate.allowed) return { key, ...kind, rate }
    const code = validating ? 'RATE_LIMIT_VALIDATE_EXCEEDED' : 'RATE_LIMIT_PLAN_EXCEEDED'
    const told = { ...rateHeaders(rate), 'retry-after': String(rate.retryAfter) }
    return error(429, code, 'Too many requests in this minute.', { limit: rate.limit }, told)
  }

  function check(texts: string[], entries: unknown[], single: boolean, environment: Environment) {
    const faults: EntryFault[] = []
    let wrongEnvironment = false
    for (let i = 0; i < entries.length; i++) {
      const found = checkEntry(entries[i], texts[i]!, single ? null : i, switches.limits, environment)
      const own = found.faults.length === 0 ? switches.refuse?.(entries[i] as Entry) : undefined
      faults.push(...found.faults)
      if (own) faults.push({ log_index: single ? null : i, ...own })
      wrongEnvironment ||= found.wrongEnvironment
    }
    return { faults, wrongEnvironment }
  }

  function ingest(who: Admitted, path: string, contentType: string | undefined, body: Buffer): Handled {
    const refuse = (answer: Answer): Handled => ({ answer, accepted: [] })
    const told = rateHeaders(who.rate)
    const invalid = (code: string, message: string, details?: object) =>
      refuse(error(400, code, message, details, told))
    if (!/^application\/json\s*(;|$)/i.test(contentType ?? '')) {
      return invalid('VALIDATION_INVALID_CONTENT_TYPE', 'Send application/json.')
    }
    if (body.length === 0) return invalid('VALIDATION_EMPTY_BODY', 'The body is empty.')
    let text: string
    let value: unknown
    try {
      text = utf8.decode(body)
      value = JSON.parse(text)
    } catch {
      return invalid('VALIDATION_INVALID_JSON', 'The body is not valid JSON.')
    }
    const many = path === '/logs/bulk' || (path === '/logs/validate' && Array.isArray(value))
    if (many !== Array.isArray(value)) {
      return invalid('VALIDATION_INVALID_REQUEST', many ? 'An array of entries is expected.' : 'An object is expected.')
    }
    const entries = many ? (value as unknown[]) : [value]
    if (entries.length === 0) return invalid('VALIDATION_EMPTY_BODY', 'The array holds no entries.')
    if (entries.length > switches.limits.maxBatch) {
      return invalid('VALIDATION_BULK_LIMIT_EXCEEDED', `At most ${switches.limits.maxBatch} entries at once.`, {
        limit: switches.limits.maxBatch,
        received: entries.length
      })
    }
    const texts = many ? splitArray(text) : [text.trim()]
    const { faults, wrongEnvironment } = check(texts, entries, !many, who.environment)
    if (path === '/logs/validate')
      return refuse(json(200, { valid: faults.length === 0, warnings: [], errors: faults }, told))
    if (faults.length > 0) {
      const code = wrongEnvironment ? 'VALIDATION_INVALID_ENVIRONMENT' : 'VALIDATION_FAILED'
      return invalid(
        code,
        'Validation failed.',
        switches.tellWhich ? { errors: many ? named(faults, entries.length) : faults } : undefined
      )
    }
    if (quotaUsed() + entries.length > switches.limits.logsPerMonth) {
      const after = switches.quotaRetryAfter === undefined ? {} : { 'retry-after': String(switches.quotaRetryAfter) }
      return refuse(
        error(
          429,
          switches.quotaCode,
          "The month's quota is spent.",
          { limit: switches.limits.logsPerMonth },
          { ...told, ...after }
        )
      )
    }
    used += entries.length
    const accepted = entries.map((entry, i) => ({ entry: entry as Entry, raw: texts[i]!, index: many ? i : null }))
    if (switches.answer === 'empty') return { answer: { status: 201, headers: told, body: '' }, accepted }
    const said = many ? { accepted: entries.length, ids: entries.map(() => randomUUID()) } : { id: randomUUID() }
    return { answer: json(201, said, told), accepted }
  }

  function named(faults: readonly EntryFault[], length: number): readonly EntryFault[] {
    const bad = faults.map(fault => Number(fault.log_index))
    return (
      switches.naming?.(bad, length).map(log_index => ({ log_index, field: 'metadata', message: 'is named' })) ?? faults
    )
  }

  function read(who: Admitted, path: string): Answer {
    const told = rateHeaders(who.rate)
    if (path === '/usage') return json(200, { logs_this_month: quotaUsed(), limit: switches.limits.logsPerMonth }, told)
    if (path === '/info') {
      const scopes = who.type === 'ro' ? ['logs:read'] : ['logs:read', 'logs:write']
      return json(200, { environment: who.environment, scopes, limits: switches.limits }, told)
    }
    return json(200, { data: stored() }, told)
  }

  return {
    switches,
    addKey: key => void keys.add(key),
    revokeKey: key => void keys.delete(key),
    get keys() {
      return [...keys]
    },
    get usedThisMonth() {
      return quotaUsed()
    },
    set usedThisMonth(count) {
      quotaUsed()
      used = count
    },
    admit,
    handle(who, method, path, contentType, body) {
      if (WRITES.has(`${method} ${path}`)) return ingest(who, path, contentType, body)
      return { answer: read(who, path), accepted: [] }
    },
    error
  }
}
