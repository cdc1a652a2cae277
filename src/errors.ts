/**
 * The one table of everything this program refuses or fails with: each code's HTTP status and its sentence for the
 * browser. Codes are Logtrail's own where it has one for the case (its page "Errors"), else named in the same manner.
 * Errors are made here, thrown anywhere, and turned into an answer in `app/error-answer.ts`, or in `guard/connections.ts` where
 * Node.js made no request of what came.
 */
const TABLE = {
  VALIDATION_EMPTY_BODY: [400, 'The request has no body.'],
  VALIDATION_INVALID_JSON: [400, 'The body is not valid UTF-8 JSON.'],
  VALIDATION_FAILED: [400, 'The request holds entries that are not valid.'],
  VALIDATION_INVALID_ENVIRONMENT: [400, "An entry names an environment that is not the server's."],
  VALIDATION_BULK_LIMIT_EXCEEDED: [400, 'The request holds too many entries.'],
  BAD_REQUEST: [400, 'This is not a valid HTTP request.'],
  SESSION_MISSING: [401, 'Sign in first: the request carries no session.'],
  SESSION_INVALID: [401, 'The session is not valid.'],
  SESSION_EXPIRED: [401, 'The session has expired.'],
  ORIGIN_FORBIDDEN: [403, 'Requests from this page are not allowed.'],
  ROUTE_NOT_FOUND: [404, 'There is nothing at this address.'],
  METHOD_NOT_ALLOWED: [405, 'This address does not answer that method.'],
  REQUEST_TIMEOUT: [408, 'The request took too long to arrive.'],
  BODY_TOO_LARGE: [413, 'The body is larger than allowed.'],
  VALIDATION_INVALID_CONTENT_TYPE: [
    415,
    'Send UTF-8 JSON as application/json or text/plain, without Content-Encoding.'
  ],
  RATE_LIMIT_IP_EXCEEDED: [429, 'Too many requests from this address.'],
  RATE_LIMIT_USER_EXCEEDED: [429, 'Too many requests by this user.'],
  RATE_LIMIT_LOGS_EXCEEDED: [429, 'Too many log entries by this user.'],
  RATE_LIMIT_ANONYMOUS_EXCEEDED: [429, 'Too many requests without a session.'],
  RATE_LIMIT_PLAN_EXCEEDED: [429, "The rate limit of the site's logging plan is reached."],
  QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED: [429, "The monthly quota of the site's logging plan is spent."],
  HEADERS_TOO_LARGE: [431, 'The request headers are larger than allowed.'],
  INTERNAL_ERROR: [500, 'Something went wrong here.'],
  UPSTREAM_UNREACHABLE: [502, 'The log service cannot be reached.'],
  UPSTREAM_ERROR: [502, 'The log service failed.'],
  UPSTREAM_REJECTED_KEY: [502, 'The log service did not accept this server.'],
  SESSION_UNAVAILABLE: [503, 'Sessions cannot be checked at the moment.'],
  SERVER_OVERLOADED: [503, 'The server has more to do than it can at the moment.'],
  QUEUE_FULL: [503, 'No more entries can be taken at the moment.'],
  SHUTTING_DOWN: [503, 'The server is going down.'],
  UPSTREAM_TIMEOUT: [504, 'The log service did not answer in time.']
} as const

export type ErrorCode = keyof typeof TABLE

/** One fault of one entry. `log_index` is its index in the bulk request, null for a single entry; `field` a dotted path. */
export interface Fault {
  log_index: number | null
  field: string
  message: string
}

/** At most this many faults are named in an answer (interface, "Errors"). */
export const MAX_FAULTS = 100

export interface HttpErrorOptions {
  /** Said to the browser instead of the table's sentence: never anything of the inside, never what the client sent. */
  message?: string
  faults?: readonly Fault[] | undefined
  /** Whole seconds for `Retry-After`; 429 and 503 get 1 where none is given. */
  retryAfter?: number | undefined
  /** Further answer headers, lower case: `x-ratelimit-*`. */
  headers?: Readonly<Record<string, string | number>> | undefined
  /** What happened, for the log alone. Must not hold secrets: it is written to the log as it is. */
  cause?: unknown
}

/** An error with an answer. Anything else that is thrown becomes INTERNAL_ERROR. */
export class HttpError extends Error {
  readonly code: ErrorCode
  readonly statusCode: number
  readonly faults: readonly Fault[] | undefined
  readonly retryAfter: number | undefined
  readonly headers: Readonly<Record<string, string | number>> | undefined

  constructor(code: ErrorCode, options: HttpErrorOptions = {}) {
    const [status, sentence] = TABLE[code]
    const { stackTraceLimit } = Error
    // What is refused is no fault of this program, and while a flood is refused its stacks would be an eighth of all work.
    if (status < 500) Error.stackTraceLimit = 0
    super(options.message ?? sentence, options.cause === undefined ? undefined : { cause: options.cause })
    Error.stackTraceLimit = stackTraceLimit
    this.name = 'HttpError'
    this.code = code
    this.statusCode = status
    this.faults = options.faults
    this.retryAfter = options.retryAfter ?? (status === 429 || status === 503 ? 1 : undefined)
    this.headers = options.headers
  }

  /** The same error, but for what is named here. */
  with(changes: HttpErrorOptions): HttpError {
    const { message, faults, retryAfter, headers, cause } = this
    return new HttpError(this.code, { message, faults, retryAfter, headers, cause, ...changes })
  }
}

/** The body of an error answer, in Logtrail's reference form. */
export interface ErrorBody {
  error_code: string
  message: string
  request_id: string
  details?: { errors: readonly Fault[]; truncated?: true }
}

/** @param requestId this proxy's id of the request, also in `X-Request-Id` */
export function errorBody(error: HttpError, requestId: string): ErrorBody {
  const body: ErrorBody = { error_code: error.code, message: error.message, request_id: requestId }
  const faults = error.faults
  if (faults && faults.length > 0) {
    body.details =
      faults.length > MAX_FAULTS ? { errors: faults.slice(0, MAX_FAULTS), truncated: true } : { errors: faults }
  }
  return body
}
