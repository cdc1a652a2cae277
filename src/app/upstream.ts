import type { CheckResult } from '../admin/readiness.js'

/** Logtrail dealt with these; of a refused key another check speaks, and 400, 413 and 422 are about entries. */
const DEALT_WITH = new Set([200, 201, 202, 204, 400, 401, 403, 413, 422])

/** The check of /readyz in direct mode, where nobody but the browsers' own requests asks Logtrail: what came of the last. */
export function createUpstreamCheck() {
  let last: number | 'error' | undefined
  return {
    /** @param status Logtrail's, or `error` where none came */
    saw(status: number | 'error'): void {
      last = status
    },
    check(): CheckResult {
      if (last === undefined) return { ok: true, message: 'nothing was sent yet' }
      if (last === 'error') return { ok: false, message: 'Logtrail did not answer the last request' }
      return { ok: DEALT_WITH.has(last), message: `Logtrail answered the last request with ${last}` }
    }
  }
}
