import type { Fault } from '../errors.js'

/** What an error answer of Logtrail says, in either of its forms, bounded and cleaned of control characters. */
export interface ErrorAnswer {
  /** Upper case; '' where there is none. */
  code: string
  message: string
  errors: Fault[]
}

/** A bulk of the largest plan with five faults an entry. */
const MAX_ERRORS = 5000
const MAX_TEXT = 300

type Json = Record<string, unknown>

/**
 * The reference form `{error_code, message, details}` and the other, `{error: {type, message, code, param}}`, which one
 * page of Logtrail's documentation shows.
 * @returns undefined where the body is no JSON error at all: a portal's HTML, an empty body, `{}`
 */
export function readErrorBody(body: Buffer): ErrorAnswer | undefined {
  const json = parseObject(body)
  if (json === undefined) return undefined
  const inner = isObject(json.error) ? json.error : undefined
  const code = text(json.error_code) || text(inner?.code) || text(inner?.type) || text(json.code)
  const message = text(json.message) || text(inner?.message) || text(json.error)
  const errors = readErrors(json.details ?? inner?.details ?? json.errors)
  if (errors.length === 0 && inner?.param) errors.push(fault(inner))
  return code || message || errors.length > 0 ? { code: code.toUpperCase(), message, errors } : undefined
}

function parseObject(body: Buffer): Json | undefined {
  try {
    const json: unknown = JSON.parse(body.toString())
    return isObject(json) ? json : undefined
  } catch {
    return undefined
  }
}

/** `{errors: [...]}`, a bare list, or the one fault itself. */
function readErrors(details: unknown): Fault[] {
  if (Array.isArray(details)) return details.slice(0, MAX_ERRORS).filter(isObject).map(fault)
  if (!isObject(details)) return []
  if (Array.isArray(details.errors)) return readErrors(details.errors)
  return 'field' in details || 'message' in details || 'log_index' in details ? [fault(details)] : []
}

function fault(from: Json): Fault {
  const index = from.log_index
  return {
    log_index: typeof index === 'number' && Number.isSafeInteger(index) && index >= 0 ? index : null,
    field: text(from.field) || text(from.param) || text(from.path),
    message: text(from.message)
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? clean(value) : ''
}

/** Control characters, and those that turn a terminal's or a page's text round, are no part of a message. */
function clean(value: string): string {
  return value
    .slice(0, MAX_TEXT)
    .replace(/[\s\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]+/gu, ' ')
    .trim()
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
