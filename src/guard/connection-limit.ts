import type { createAddresses } from './address.js'
import type { OverLimit } from './connections.js'
import { type Caller, type Limits, limitExceeded } from './limits.js'

/**
 * Counts what Node.js makes no request of, for the address of its socket: what is no valid HTTP, and a CONNECT, where whatever
 * it forwards is said of what it would open.
 */
export function createConnectionLimit(limits: Limits, addressOf: ReturnType<typeof createAddresses>): OverLimit {
  return async socket => {
    const { key, spared } = addressOf(undefined, socket.remoteAddress)
    if (spared) return undefined
    const caller: Caller = { addressKey: key, userId: undefined }
    const standing = await limits.address(caller)
    const exceeded = await limits.uncounted?.(caller, false)
    if (standing?.exceeded) return limitExceeded('RATE_LIMIT_IP_EXCEEDED', standing)
    return exceeded?.code ? limitExceeded(exceeded.code, exceeded) : undefined
  }
}
