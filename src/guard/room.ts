import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../errors.js'
import { heapLimit } from './overload.js'

/**
 * Of what the heap may hold: a body takes some four to six times its length while it is read, checked and sent on, and looks
 * at memory (overload.ts) come too late for what arrives between two of them.
 */
const SHARE = 1 / 8
/** Of the room, what one caller may have of it: the others send, too. One body is let in, however long it may be. */
const CALLERS_SHARE = 1 / 4
/** Bytes of a request up to which nobody asks whose they are: what browsers send is less. */
const SMALL = 64 * 1024
/** Whole seconds: what is under way is answered, or given up, soon. */
const RETRY_AFTER = 2

/** A request, by what the room knows of it. */
export interface Guest {
  /** Bytes of its body that have arrived. */
  bytes: number
  caller: { addressKey: string; userId: string | undefined }
  /** Whose share it has a part of, once it is not small. */
  share: string | undefined
}

/** Bounds the bytes of all requests that are under way: from when they arrive until their answer is out. */
export interface Room {
  /**
   * Is there room for what is told to come?
   * @throws HttpError `SERVER_OVERLOADED`
   */
  check(headers: IncomingHttpHeaders): void
  /**
   * So many bytes more have arrived.
   * @throws HttpError `SERVER_OVERLOADED`: they have no place
   */
  take(guest: Guest, bytes: number): void
  /** The request is over. */
  give(guest: Guest): void
}

/** @param bodyLimit bytes, which one body may have */
export function createRoom(bodyLimit: number, onFull: () => void): Room {
  const room = Math.max(SHARE * heapLimit(), bodyLimit)
  const most = Math.max(CALLERS_SHARE * room, bodyLimit)
  const shares = new Map<string, number>()
  let taken = 0

  function full(): never {
    onFull()
    throw new HttpError('SERVER_OVERLOADED', { retryAfter: RETRY_AFTER })
  }

  function takeShare(guest: Guest, bytes: number): void {
    const { userId, addressKey } = guest.caller
    const share = guest.share ?? (userId === undefined ? `a:${addressKey}` : `u:${userId}`)
    const has = (shares.get(share) ?? 0) + (guest.share === undefined ? guest.bytes + bytes : bytes)
    if (has > most) full()
    guest.share = share
    shares.set(share, has)
  }

  return {
    check({ 'content-length': told = '0' }) {
      // one that is too long is refused by its length, and not read
      if (taken + Math.min(Number(told), bodyLimit) > room) full()
    },
    take(guest, bytes) {
      if (taken + bytes > room) full()
      if (guest.bytes + bytes > SMALL) takeShare(guest, bytes)
      taken += bytes
      guest.bytes += bytes
    },
    give(guest) {
      taken -= guest.bytes
      if (guest.share === undefined) return
      const left = shares.get(guest.share)! - guest.bytes
      if (left > 0) shares.set(guest.share, left)
      else shares.delete(guest.share)
    }
  }
}
