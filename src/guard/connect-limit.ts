import type { Socket } from 'node:net'
import type { HttpError } from '../errors.js'
import type { createCallers } from './address.js'
import { type Limits, limitExceeded, type Sender } from './limits.js'

/**
 * Counts a CONNECT, which Node.js makes no request of, for the address of its socket: whatever it forwards is said of what
 * it would open.
 * @returns the 429, where that address is over its limit
 */
export function createConnectLimit(
  limits: Limits,
  callerOf: ReturnType<typeof createCallers>
): (socket: Socket) => Promise<HttpError | undefined> {
  return async socket => {
    const { key, spared } = callerOf(undefined, socket.remoteAddress)
    if (spared) return undefined
    const sender: Sender = { addressKey: key, userId: undefined }
    const standing = await limits.address(sender)
    const exceeded = await limits.uncounted?.(sender, false)
    if (standing?.exceeded) return limitExceeded('RATE_LIMIT_IP_EXCEEDED', standing)
    return exceeded ? limitExceeded(exceeded.code, exceeded) : undefined
  }
}
