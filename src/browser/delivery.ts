import type { DropDetail, DropReason } from './logger.js'
import { bytesOf, type Store, type Tag } from './store.js'

/** Bytes of one request, and of all keepalive requests under way: the browser's own budget for a page is 64 KiB. */
export const MAX_PIECE = 60_000
const TIMEOUT = 30_000
/** Full jitter: a wait is anything up to the first, doubled with each failure in a row, up to the most. Milliseconds. */
const FIRST_WAIT = 1000
const MAX_WAIT = 300_000

// Taken before the app can wrap it: a wrapper that logs requests would log these, too, and so on for ever.
const fetch = globalThis.fetch
let underway = 0

interface Said {
  error_code?: string
  message?: string
  rejected?: Fault[]
  details?: { errors?: Fault[] }
}
interface Fault extends DropDetail {
  log_index: number
}

/**
 * Requests, their answers and what follows from them. An entry is delivered, put aside or given up when `send` resolves.
 * `limit` is the most entries of a request; `drop` never throws; `rest` takes all that was logged since the last flush.
 */
export function createDelivery(
  base: string,
  store: Store,
  limit: number,
  drop: (entry: string, reason: DropReason, detail?: DropDetail) => void,
  fresh: string[][]
) {
  // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
  const url = new URL(base + '/logs/bulk', location as unknown as URL)
  const foreign = url.origin !== origin
  // A machine without a network card says that it is offline even to a page of its own.
  const online = navigator.onLine
  let tag: Tag = ''
  let verified: boolean | undefined
  /** Since the run began the page went, or was hidden. */
  let left: boolean | undefined
  let failures = 0
  let pause = 0

  /** Milliseconds to wait before the next request, by this page's failures and by what the server told any tab. */
  const delay = (): number => Math.max(pause, +store.recall('until')) - Date.now()

  const wait = (retryAfter?: string | null): void => {
    pause = Date.now() + Math.random() * Math.min(MAX_WAIT, FIRST_WAIT * 2 ** failures++)
    if (+retryAfter! > 0) store.remember('until', pause + +retryAfter! * 1000)
  }

  /**
   * Sends a batch. Where its `owner` is known it waits if somebody else has been told of since, and the server is told to
   * take it only as the owner's. As the page is `leaving` only what outlives it goes, up to the first byte synchronously.
   * Never rejects.
   */
  async function send(batch: string[], owner: Tag, leaving?: boolean): Promise<void> {
    const keep = (): void => store.putAside(batch, owner || tag)
    const body = `[${batch}]`
    const size = bytesOf(body)
    verified = false
    if (
      delay() > 0 ||
      (owner && owner !== tag) ||
      underway + size >= MAX_PIECE ||
      (leaving && (failures || (online && !navigator.onLine)))
    )
      return keep()
    underway += size
    try {
      if (leaving && !(fetch! && 'keepalive' in Request.prototype)) {
        if (!navigator.sendBeacon(url, body)) keep()
        return
      }
      const answer = await fetch(url, {
        method: 'POST',
        body,
        keepalive: true,
        credentials: 'include',
        // Else text/plain, which spares a foreign page the preflight, for which a page that goes has no time.
        headers: foreign
          ? {}
          : { 'content-type': 'application/json', ...(owner[1] && { 'x-session-tag': owner.slice(1) }) },
        // A sign-in page is not an answer.
        redirect: 'error',
        signal: AbortSignal.timeout?.(TIMEOUT)
      })
      const { status, ok, headers } = answer
      const text = await answer.text()
      // Nor is some page of HTML with a 200; with any other status it may be one.
      const said: Said = { ...((ok || text[0] === '{') && JSON.parse(text || '{}')) }
      const told = headers.get('x-session-tag')
      if (told !== null || ok || status === 400) {
        verified = true
        // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
        tag = '=' + (told ?? '')
        store.know(tag)
      }
      const faults = [said.rejected, said.details?.errors].flat()
      const good = batch.filter((entry, index) => {
        const fault = faults.find(fault => fault?.log_index === index)
        if (fault) drop(entry, 'refused', { status, ...fault })
        return !fault
      })
      const half = batch.length >> 1
      if (ok) failures = 0
      else if (status === 401 && owner && owner !== tag) keep()
      else if (status === 400 && (good.length < batch.length || !batch[0])) {
        if (good[0]) await send(good, owner || tag)
      } else if (half && (status === 413 || /BULK_LIMIT/.test(said.error_code!))) {
        if (status === 400) limit = half
        const rest = batch.splice(half)
        await send(batch, owner)
        await send(rest, owner)
      } else {
        if (/401|408|429|5../.test(status as unknown as string)) keep()
        else for (const entry of batch) drop(entry, 'refused', { status, ...said })
        if (status === 401) {
          while (fresh[0]) store.putAside(fresh.pop()!, tag)
          tag = ''
          store.know('')
        }
        wait(headers.get('retry-after'))
      }
    } catch {
      keep()
      if (!left) wait()
    } finally {
      underway -= size
    }
  }

  return {
    limit: () => limit,

    /** Sends what is fresh as the page goes, in whatever order the answers come. */
    leave(sure?: boolean | null): void {
      left = true
      while (fresh[0]) send(fresh.pop()!, sure ? tag : '', true)
    },

    /**
     * Sends what was put aside, asking with an empty batch who is signed in unless the answer to a fresh one has just told.
     * In a hurry, the pause after this page's own failures is forgotten, but not what the server asked for. Resolves with
     * the milliseconds after which to come again, if so.
     */
    async run(sure?: boolean | null, hurry?: boolean): Promise<number> {
      if (hurry) pause = 0
      verified = left = false
      // What is logged meanwhile waits for the next run, or a page that logs without a pause would send without one.
      for (let count = fresh.length; count-- && fresh[0]; sure = true) await send(fresh.pop()!, sure ? tag : '')
      if (!verified && store.waiting(tag)[0]) await send([], '')
      // Not as the page goes: what was taken, or only claimed, might go with it.
      while (verified && !left && delay() <= 0) {
        const owner = tag
        const batch = await store.take(owner, limit, MAX_PIECE)
        if (!batch[0]) break
        await send(batch, owner)
      }
      return store.waiting(tag)[0] ? Math.max(1000, delay()) : Infinity
    }
  }
}
