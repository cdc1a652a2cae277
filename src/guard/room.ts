import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../errors.js'
import { heapLimit } from './overload.js'

/**
 * Of what the heap may hold: a body takes some four to six times its length while it is read, checked and sent on, and looks
 * at memory (overload.ts) come too late for what arrives between two of them.
 */
const SHARE = 1 / 8
/** Whole seconds: what is under way is answered, or given up, soon. */
const RETRY_AFTER = 2

/** Bounds the bytes of all requests that are under way: from before a body is read until its answer is out. */
export interface Room {
  /**
   * @returns the bytes that it takes, to be given back
   * @throws HttpError `SERVER_OVERLOADED`
   */
  take(headers: IncomingHttpHeaders): number
  give(bytes: number): void
}

/** @param bodyLimit bytes, which a body that does not tell its length may have */
export function createRoom(bodyLimit: number, onFull: () => void): Room {
  const room = Math.max(SHARE * heapLimit(), bodyLimit)
  let taken = 0
  return {
    take({ 'content-length': told }) {
      // one that is too long is refused by its length, and not read
      const bytes = told === undefined ? bodyLimit : Math.min(Number(told), bodyLimit)
      if (taken + bytes > room) {
        onFull()
        throw new HttpError('SERVER_OVERLOADED', { retryAfter: RETRY_AFTER })
      }
      taken += bytes
      return bytes
    },
    give(bytes) {
      taken -= bytes
    }
  }
}
