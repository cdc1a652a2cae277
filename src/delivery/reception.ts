import type { Clock } from '../clock.js'
import { HttpError } from '../errors.js'
import type { UpstreamAnswer } from '../logtrail/client.js'
import { UpstreamFault } from '../logtrail/client.js'
import { judge, toHttpError } from '../logtrail/verdict.js'
import { MAX_ANSWER } from '../outbox/outbox.js'
import type { Batch, Settled } from './batch.js'
import type { Bounds } from './bounds.js'
import type { Budget, Ticket } from './budget.js'
import type { Health } from './health.js'

export interface ReceptionOptions {
  clock: Clock
  budget: Budget
  health: Health
  bounds: Bounds
  settle: (outcome: Settled) => void
  onFault: (error: unknown) => void
}

/** What happens to the batch now. */
export type Next = 'settled' | 'put back' | 'failed'

export interface Reception {
  /** @param bytes of the body that was sent */
  answered(batch: Batch, ticket: Ticket, bytes: number, answer: UpstreamAnswer): Next
  /** There was no answer. */
  failed(batch: Batch, ticket: Ticket, error: unknown): Next
  /** As a browser would be told why nothing goes at the moment; undefined while Logtrail deals with requests. */
  fault(): HttpError | undefined
}

/** Reads Logtrail's answers, and draws the consequences for the budget, the upstream's health and the entries. */
export function createReception(options: ReceptionOptions): Reception {
  const { clock, budget, health, bounds, settle, onFault } = options
  let fault: HttpError | undefined

  function succeeded(ticket: Ticket): void {
    health.succeeded()
    budget.succeeded(ticket)
    fault = undefined
  }

  function putBack(error: HttpError): Next {
    fault = error
    onFault(error)
    return 'put back'
  }

  function upstreamFailed(batch: Batch, ticket: Ticket, error: HttpError): Next {
    onFault(error)
    batch.faults++
    // One that was put aside was tried to learn of it, not of the upstream.
    if (batch.aside > 0) return 'failed'
    fault = error
    health.failed(ticket.at)
    return 'failed'
  }

  return {
    answered(batch, ticket, bytes, answer) {
      const now = clock.wall()
      const verdict = judge(answer, now)
      const { length } = batch.current
      budget.answered(ticket, answer.headers)
      switch (verdict.kind) {
        case 'delivered':
          succeeded(ticket)
          settle({ taken: batch.taken(), refused: [] })
          return 'settled'
        case 'too-many':
        case 'refused': {
          succeeded(ticket)
          if (verdict.kind === 'too-many' && length > 1) {
            bounds.tooMany(length)
            // One as it was claimed is claimed anew, in smaller ones.
            if (!batch.whole) batch.halve(false)
            return 'put back'
          }
          const { status } = answer
          const { code, message, errors } = verdict
          if (status === 413 && length > 1) bounds.tooLarge(bytes)
          const said = answer.body.toString('utf8', 0, MAX_ANSWER)
          settle({ taken: [], refused: batch.refused({ status, code, message, errors, answer: said }) })
          return 'settled'
        }
        case 'rate':
          budget.limited(ticket, verdict.retryAfterMs, answer.headers)
          return putBack(toHttpError(verdict, answer, now))
        case 'quota':
          budget.spent(verdict.untilMs)
          return putBack(toHttpError(verdict, answer, now))
        case 'key':
          health.keyRefused()
          return putBack(toHttpError(verdict, answer, now))
        case 'fault':
          return upstreamFailed(batch, ticket, toHttpError(verdict, answer, now))
      }
    },

    failed(batch, ticket, error) {
      const known = error instanceof UpstreamFault
      return upstreamFailed(
        batch,
        ticket,
        known ? toHttpError(error) : new HttpError('UPSTREAM_ERROR', { cause: error })
      )
    },

    fault: () => fault
  }
}
