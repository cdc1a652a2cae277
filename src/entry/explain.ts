import type { ErrorCode, Fault } from '../errors.js'
import { parseBody } from './body.js'
import { RefusedEntries } from './refusal.js'
import type { Rules, Who } from './rules.js'
import { createWay } from './way.js'

/** What would become of one entry. Fields are named as they may be logged: never with their values. */
export interface Outcome {
  /** Its place in the list; null for a single entry. */
  log_index: number | null
  outcome: 'sent' | 'filtered' | 'refused'
  /** The JSON that would go to Logtrail, and its bytes. */
  json?: string
  bytes?: number
  faults: Omit<Fault, 'log_index'>[]
  removed: string[]
  dropped: string[]
  redacted: string[]
  trimmed: string[]
}

export interface Explanation {
  /** Why the whole request would be refused. */
  refused?: { code: ErrorCode; message: string }
  outcomes: Outcome[]
}

const EXAMPLE: Who = {
  userId: 'example-user',
  ip: '192.0.2.1',
  userAgent: 'example-browser',
  requestId: '00000000-0000-4000-8000-000000000000',
  receivedAt: 0
}

/**
 * Tells what the rules make of a file that holds one entry or a list of them, for `doctor --entry`. Nothing is sent; every
 * entry is looked at, also beside one at fault.
 * @param who stands for the session and the request, which a file does not have
 */
export function explain(file: Buffer, rules: Rules, who: Who = EXAMPLE): Explanation {
  let body: ReturnType<typeof parseBody>
  try {
    body = parseBody(file)
  } catch (error) {
    if (!(error instanceof RefusedEntries)) throw error
    return { refused: { code: error.code, message: error.message }, outcomes: [] }
  }
  const list = Array.isArray(body.value)
  const values: unknown[] = list ? (body.value as unknown[]) : [body.value]
  const way = createWay(rules)
  const outcomes = values.map((value, index): Outcome => {
    way.begin(who, body.escapes)
    const json = way.go(value, list ? index : null)
    const named = (wanted: string) => way.notes.filter(({ deed }) => deed === wanted).map(({ field }) => field)
    return {
      log_index: list ? index : null,
      outcome: json !== undefined ? 'sent' : way.faults.length > 0 ? 'refused' : 'filtered',
      ...(json === undefined ? {} : { json, bytes: Buffer.byteLength(json) }),
      faults: way.faults.map(({ field, message }) => ({ field, message })),
      removed: named('removed'),
      dropped: named('dropped'),
      redacted: named('redacted'),
      trimmed: named('trimmed')
    }
  })
  if (list && (values.length === 0 || values.length > rules.maxEntries)) {
    const message = values.length === 0 ? 'It holds no entry.' : `It holds more than ${rules.maxEntries} entries.`
    return {
      refused: { code: values.length === 0 ? 'VALIDATION_FAILED' : 'VALIDATION_BULK_LIMIT_EXCEEDED', message },
      outcomes
    }
  }
  if (outcomes.every(({ outcome }) => outcome !== 'refused')) return { outcomes }
  return { refused: { code: 'VALIDATION_FAILED', message: 'It holds entries that are not valid.' }, outcomes }
}
