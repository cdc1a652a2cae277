import type { FastifyReply, FastifyRequest } from 'fastify'
import { type Limits, limitExceeded, limitHeaders } from '../guard/limits.js'
import './visit.js'

type ErrorAnswer = (error: Error, request: FastifyRequest, reply: FastifyReply) => void

/**
 * Counts what is refused before its entries are known over all replicas, and answers 429 where it is over a limit by that.
 * What is let in asks once, with its entries; what is refused waits for the count here instead: by what each replica knows
 * alone, every one of them would let a few too many through.
 */
export function createCountedAnswer(limits: Limits, answer: ErrorAnswer): ErrorAnswer {
  return (error, request, reply) => {
    const { visit } = request
    const asked = isRefusal(error) && !visit.counted ? limits.uncounted?.(visit.caller, visit.asked) : undefined
    if (asked === undefined) {
      answer(error, request, reply)
      return
    }
    visit.counted = true
    void asked.then(standing => {
      // given up meanwhile, by a listener that is ending
      if (reply.sent) return
      if (standing?.code) {
        answer(limitExceeded(standing.code, standing), request, reply)
        return
      }
      if (standing) reply.headers(limitHeaders(standing))
      answer(error, request, reply)
    })
  }
}

/** The client's fault. One that is over a limit knows so already. */
function isRefusal({ statusCode = 500 }: Error & { statusCode?: number }): boolean {
  return statusCode < 500 && statusCode !== 429
}
