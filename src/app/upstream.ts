import type { CheckResult } from '../admin/readiness.js'
import { reach } from '../logtrail/reach.js'

/** Logtrail dealt with these; of a refused key another check speaks, and 400, 413 and 422 are about entries. */
const DEALT_WITH = new Set([200, 201, 202, 204, 400, 401, 403, 413, 422])

const PATIENCE_MS = 2000

export type UpstreamCheck = ReturnType<typeof createUpstreamCheck>

/**
 * What /readyz says of Logtrail besides what the line of pooled and queued delivery knows. Nobody but the browsers'
 * entries asks Logtrail; until the first of them has gone there, whether a connection can be made tells.
 */
export function createUpstreamCheck(address: string, ca?: string) {
  let last: number | 'error' | undefined
  return {
    /** @param status Logtrail's, or `error` where none came */
    saw(status: number | 'error'): void {
      last = status
    },
    asked: () => last !== undefined,
    /** What came of the last request: all that direct mode knows. */
    check(): CheckResult {
      if (last === 'error') return { ok: false, message: 'Logtrail did not answer the last request' }
      return { ok: DEALT_WITH.has(last!), message: `Logtrail answered the last request with ${last}` }
    },
    async reach(): Promise<CheckResult> {
      const why = last === undefined ? await reach(address, { timeoutMs: PATIENCE_MS, ca }) : undefined
      return why === undefined
        ? { ok: true, message: 'nothing was sent yet' }
        : { ok: false, message: `Logtrail cannot be reached (${why})` }
    }
  }
}
