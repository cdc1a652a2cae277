import { isUtf8 } from 'node:buffer'
import { type Fault, HttpError, type HttpErrorOptions } from '../errors.js'
import type { Received, UpstreamAnswer } from './answer.js'
import { readErrorBody } from './error-body.js'
import { UpstreamFault } from './fault.js'

export type Verdict =
  | { kind: 'delivered' }
  /** Logtrail speaks of the entries themselves: sent again as they are, they would be refused again. */
  | { kind: 'refused'; code: string; message: string; errors: Fault[] }
  /** More entries in a bulk than the plan allows: halve. Said of a single entry it is a refusal. */
  | { kind: 'too-many'; code: string; message: string; errors: Fault[] }
  /** The plan's requests a minute are spent. Without `retryAfterMs` Logtrail did not say for how long. */
  | { kind: 'rate'; retryAfterMs?: number }
  /** The month's entries are spent. `untilMs` is a time, in ms since 1970. */
  | { kind: 'quota'; untilMs: number }
  | { kind: 'key'; status: number }
  /** Anything else: nothing is known of the entries. */
  | { kind: 'fault'; reason: string }

/** A mistake in Retry-After must not stop the logs for days. Up to a day it is believed as it is, and nothing is sent until it is over. */
const MAX_RETRY_AFTER_MS = 86_400_000

const NOTHING = Buffer.alloc(0)
const JSON_BEGINS = /^\s*[[{"]/
const JSON_TYPE = /^application\/([\w.-]+\+)?json\b/i
const PAGE_TYPE = /^text\/html\b/i

const QUOTA_CODES = new Set(['QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', 'MONTHLY_LOG_LIMIT_EXCEEDED'])

/** @param now ms since 1970 */
export function judge(answer: Received, now: number): Verdict {
  const { status, body, headers } = answer
  switch (status) {
    case 200:
    case 201:
    case 202:
    case 204:
      return saysJson(answer) ? { kind: 'delivered' } : fault(status, 'with a body that is no JSON')
    case 401:
    case 403:
      // Logtrail's own are JSON. A firewall on the way speaks of this request, and perhaps of one entry in it: taken for a
      // word on the key it would stop everybody's.
      return saysJson(answer) ? { kind: 'key', status } : fault(status, 'with a body that is no JSON')
    case 429: {
      if (QUOTA_CODES.has(readErrorBody(body)?.code ?? '')) return { kind: 'quota', untilMs: nextMonth(now) }
      const retryAfterMs = readRetryAfter(headers.retryAfter, now)
      return retryAfterMs === undefined ? { kind: 'rate' } : { kind: 'rate', retryAfterMs }
    }
    case 400:
    case 413:
    case 422:
      // A portal's, or that of an nginx that was spoken plain http to. With 413 it is a reverse proxy's limit on the size of
      // bodies, which is on the way to stay: the batch must become smaller.
      if (status !== 413 && isPage(answer)) return fault(status, 'with a web page')
      return refusal(body)
    default:
      return fault(status, status >= 300 && status < 400 ? 'a redirect, which is not followed' : 'not expected')
  }
}

/**
 * Whether somebody else on the way answered, a portal or a firewall: with a status that Logtrail's would have too, but other words.
 * @param kind of the verdict on the answer
 */
export function isForeign({ status, headers }: UpstreamAnswer, kind: Verdict['kind']): boolean {
  return kind === 'fault' && judge({ status, headers, body: NOTHING }, 0).kind !== 'fault'
}

/** Logtrail's codes for a 400 that this program answers with, too, and with the same status. */
const REFUSALS = [
  'VALIDATION_EMPTY_BODY',
  'VALIDATION_INVALID_JSON',
  'VALIDATION_FAILED',
  'VALIDATION_INVALID_ENVIRONMENT'
] as const

/**
 * What a browser is told, in direct and pooled mode. Of Logtrail's own words only those on a refused entry pass.
 * @param answer where there is one, for the rate headers of a 429
 * @param now ms since 1970
 * @throws TypeError for `delivered`, which is no error: `passOn`
 */
export function toHttpError(outcome: Verdict | UpstreamFault, answer?: UpstreamAnswer, now = Date.now()): HttpError {
  if (outcome instanceof UpstreamFault) {
    const code = outcome.kind === 'broken' ? 'ERROR' : outcome.kind === 'timeout' ? 'TIMEOUT' : 'UNREACHABLE'
    return new HttpError(`UPSTREAM_${code}`, { cause: outcome })
  }
  switch (outcome.kind) {
    case 'refused': {
      const { message, errors } = outcome
      const options: HttpErrorOptions = { faults: errors, ...(message === '' ? {} : { message }) }
      return new HttpError(REFUSALS.find(code => code === outcome.code) ?? 'VALIDATION_FAILED', options)
    }
    case 'too-many':
      return new HttpError('VALIDATION_BULK_LIMIT_EXCEEDED')
    case 'rate':
      return limited('RATE_LIMIT_PLAN_EXCEEDED', outcome.retryAfterMs ?? 0, answer)
    case 'quota':
      return limited('QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', outcome.untilMs - now, answer)
    case 'key':
      return new HttpError('UPSTREAM_REJECTED_KEY', { cause: new Error(`Logtrail answered ${outcome.status}`) })
    case 'fault':
      return new HttpError('UPSTREAM_ERROR', { cause: new Error(outcome.reason) })
    case 'delivered':
      throw new TypeError('a delivery is no error')
  }
}

/** What direct mode hands the browser of an answer that was judged `delivered`. */
export function passOn({ status, body }: UpstreamAnswer): {
  status: number
  headers: Record<string, string>
  body: Buffer
} {
  // Logtrail's rate headers speak of the whole site's budget: only its own 429 brings them to a browser. The type is
  // what `judge` found the body to be, whatever Logtrail called it.
  if (isEmpty(body)) return { status, headers: {}, body: body.subarray(0, 0) }
  return { status, headers: { 'content-type': 'application/json; charset=utf-8' }, body }
}

function limited(
  code: 'RATE_LIMIT_PLAN_EXCEEDED' | 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED',
  ms: number,
  answer?: UpstreamAnswer
): HttpError {
  const { contentType: _, retryAfter: __, ...headers } = answer?.headers ?? {}
  return new HttpError(code, { retryAfter: Math.max(1, Math.ceil(ms / 1000)), headers })
}

function fault(status: number, why: string): Verdict {
  return { kind: 'fault', reason: `Logtrail answered ${status}, ${why}` }
}

/** Whatever the body says: an entry that is sent again for want of words would hold up its user's queue for ever. */
function refusal(body: Buffer): Verdict {
  const { code = '', message = '', errors = [] } = readErrorBody(body) ?? {}
  return {
    kind: code === 'VALIDATION_BULK_LIMIT_EXCEEDED' ? 'too-many' : 'refused',
    code: code || 'VALIDATION_FAILED',
    message: message || 'The log service refused it.',
    errors
  }
}

/** HTML, from somebody else on the way. */
function isPage({ body, unread, headers }: Received): boolean {
  return unread ? PAGE_TYPE.test(headers.contentType ?? '') : body.toString().trimStart().startsWith('<')
}

/** Logtrail may say nothing, or JSON; of what is not there whole the beginning must do, or its type. */
function saysJson({ body, cut, unread, headers }: Received): boolean {
  if (unread) return JSON_TYPE.test(headers.contentType ?? '')
  return cut ? JSON_BEGINS.test(body.toString()) : isEmpty(body) || isJson(body)
}

function isEmpty(body: Buffer): boolean {
  return body.length === 0 || body.toString().trim() === ''
}

function isJson(body: Buffer): boolean {
  try {
    JSON.parse(body.toString())
    return isUtf8(body)
  } catch {
    return false
  }
}

/**
 * Seconds or a date (RFC 9110, section 10.2.3). One without a zone is asctime's form, in UTC too (section 5.6.7), which
 * `Date.parse` would take for this machine's own time.
 * @returns ms from now, undefined where it says nothing sensible
 */
function readRetryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined
  const ms = /^\d{1,15}(\.\d{1,9})?$/.test(value)
    ? Number(value) * 1000
    : /^[A-Z][a-z]+,? .*\d\d:\d\d:\d\d/.test(value)
      ? Date.parse(/GMT$|UTC$|[+-]\d{4}$/.test(value) ? value : `${value} GMT`) - now
      : Number.NaN
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(Math.ceil(ms), 0), MAX_RETRY_AFTER_MS)
}

/** The monthly quota is counted anew from 00:00 UTC on the 1st. */
function nextMonth(now: number): number {
  const date = new Date(now)
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 1)
}
