import type { UpstreamAnswer } from '../../src/logtrail/answer.js'
import { UpstreamFault } from '../../src/logtrail/client.js'

export interface Sent {
  route: string
  /** The entries' ids, in their order in the body. */
  ids: string[]
  at: number
  requestId: string
}

export type Answer = UpstreamAnswer | UpstreamFault | Promise<UpstreamAnswer>

export function answer(status: number, body: unknown = {}, headers: UpstreamAnswer['headers'] = {}): UpstreamAnswer {
  return { status, headers, body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)) }
}

export const taken = (headers: UpstreamAnswer['headers'] = {}) => answer(201, { accepted: true }, headers)

export function refused(errors: { log_index: number | null; field: string; message: string }[] = [], status = 400) {
  return answer(status, { error_code: 'VALIDATION_FAILED', message: 'Validation failed.', details: { errors } })
}

export const unreachable = () => new UpstreamFault('unreachable', 'ECONNREFUSED', 'Logtrail cannot be reached')
export const timedOut = () => new UpstreamFault('timeout', 'DEADLINE', 'Logtrail did not answer in time')

/** A body whose id the upstream records. */
export const entry = (id: string | number, more: object = {}) => JSON.stringify({ id: String(id), ...more })

/** Stands where the client would: each test says what it answers. */
export function createUpstream(now: () => number, first: (sent: Sent) => Answer = () => taken()) {
  const requests: Sent[] = []
  const upstream = {
    requests,
    respond: first,
    /** All ids ever sent, in order. */
    ids: () => requests.flatMap(sent => sent.ids),
    async post(
      route: string,
      body: string | Buffer,
      { requestId, signal }: { requestId: string; signal?: AbortSignal }
    ) {
      const value = JSON.parse(body.toString())
      const ids = (Array.isArray(value) ? value : [value]).map(each => each.id as string)
      const sent = { route, ids, at: now(), requestId }
      requests.push(sent)
      const outcome = upstream.respond(sent)
      if (outcome instanceof Error) throw outcome
      if (!(outcome instanceof Promise)) return outcome
      return await Promise.race([
        outcome,
        new Promise<never>((_, reject) => {
          signal?.addEventListener('abort', () => reject(new UpstreamFault('broken', 'CANCELLED', 'given up')))
        })
      ])
    }
  }
  return upstream
}
