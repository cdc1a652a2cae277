import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { createSampling } from '../admin/sampling.js'
import { type ErrorCode, errorBody, HttpError } from '../errors.js'
import { limitHeaders } from '../guard/limits.js'
import './visit.js'

/** Fastify's own refusals, by code. */
const FASTIFY_ERRORS: Record<string, ErrorCode> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: 'VALIDATION_INVALID_CONTENT_TYPE'
}

/**
 * The one place where an error becomes an answer: 4xx as they are, everything else says nothing of the inside.
 * @param planLimit what the plan allows, for a 429 of Logtrail that does not say so itself
 */
export function createErrorAnswer(
  planLimit: (code: ErrorCode) => number,
  sample = createSampling(),
  now = Date.now
): (error: Error, request: FastifyRequest, reply: FastifyReply) => void {
  return (error, request, reply) => {
    const known = toHttpError(error)
    // of one without a cause the request's own line says everything
    if (known.statusCode >= 500 && known.cause !== undefined) {
      const sampled = sample()
      if (sampled > 0) {
        const level = known.code === 'INTERNAL_ERROR' ? 'error' : 'warn'
        const line = { err: known.cause, error_code: known.code, request_id: request.id }
        request.log[level](sampled > 1 ? { ...line, sampled } : line, 'request failed')
      }
    }
    if (request.visit) request.visit.errorCode = known.code
    if (known.code === 'BODY_TOO_LARGE' || known.code === 'SERVER_OVERLOADED') readOn(request, reply)
    if (known.retryAfter !== undefined) reply.header('retry-after', known.retryAfter)
    // those of the user's own limit are set already, and would say of Logtrail's refusal that there is more to spend
    if (known.statusCode === 429) {
      reply.headers(spentHeaders(planLimit(known.code), now() + known.retryAfter! * 1000))
    }
    if (known.headers) reply.headers(known.headers)
    reply
      .code(known.statusCode)
      .type('application/json; charset=utf-8')
      .send(JSON.stringify(errorBody(known, request.id)))
  }
}

/**
 * Fastify closes the connection after this answer, and whoever is still sending meets its end instead of the answer. The rest
 * is read and thrown away, as after any other refusal, for as long as a request may take.
 */
function readOn(request: FastifyRequest, reply: FastifyReply): void {
  reply.removeHeader('connection')
  request.raw.resume()
}

/** @param until ms since 1970, by a Retry-After that was rounded up: rounded up again, the 1st would be a second late */
function spentHeaders(limit: number, until: number): Record<string, number> {
  return limitHeaders({ limit, remaining: 0, reset: Math.floor(until / 1000) })
}

function toHttpError(error: Error): HttpError {
  if (error instanceof HttpError) return error
  return new HttpError(FASTIFY_ERRORS[(error as FastifyError).code] ?? 'INTERNAL_ERROR', { cause: error })
}
