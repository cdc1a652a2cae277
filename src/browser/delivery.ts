import type { DropDetail, DropReason } from './logger.js'
import type { Store, Tag } from './store.js'

/** Bytes of one request, and of all keepalive requests under way: the browser's own budget for a page is 64 KiB. */
export const MAX_PIECE = 60_000
const TIMEOUT = 30_000
/** Full jitter: a wait is anything up to the first, doubled with each failure in a row, up to the most. Milliseconds. */
const FIRST_WAIT = 1000
const MAX_WAIT = 300_000

// Taken before the app can wrap it: a wrapper that logs requests would log these, too, and so on for ever.
const fetch = globalThis.fetch
let underway = 0

export const bytesOf = (text: string): number => new Blob([text]).size

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
  rest: () => string[]
) {
  const url = new URL(`${base}/logs/bulk`, location.href)
  const foreign = url.origin !== location.origin
  // A machine without a network card says that it is offline even to a page of its own.
  const online = navigator.onLine
  let tag: Tag = ''
  let verified = false
  let failures = 0
  let pause = 0

  /** Milliseconds to wait before the next request, by this page's failures and by what the server told any tab. */
  const delay = (): number => Math.max(pause, +store.recall('until')) - Date.now()

  const wait = (retryAfter?: string | null): void => {
    pause = Date.now() + Math.random() * Math.min(MAX_WAIT, FIRST_WAIT * 2 ** failures++)
    if (+retryAfter! > 0) store.remember('until', `${pause + +retryAfter! * 1000}`)
  }

  /**
   * Sends a fresh batch, or one whose `owner` is known unless somebody else has been told of since. As the page is
   * `leaving` only what outlives it goes, up to the first byte synchronously. Never rejects.
   */
  async function send(batch: string[], owner?: Tag, leaving?: boolean): Promise<void> {
    const keep = (): void => store.put(batch, owner || tag)
    const body = `[${batch}]`
    const size = bytesOf(body)
    const keepalive = underway + size < MAX_PIECE
    const share = keepalive ? size : 0
    verified = false
    if (
      delay() > 0 ||
      (owner && owner !== tag) ||
      (leaving && (!keepalive || failures || (online && !navigator.onLine)))
    )
      return keep()
    underway += share
    try {
      if (leaving && !(fetch! && 'keepalive' in Request.prototype)) {
        if (!navigator.sendBeacon(url, body)) keep()
        return
      }
      const answer = await fetch(url, {
        method: 'POST',
        body,
        keepalive,
        credentials: 'include',
        // Else text/plain, which spares a foreign page the preflight, for which a page that goes has no time.
        headers: foreign ? {} : { 'content-type': 'application/json' },
        // A sign-in page is not an answer.
        redirect: 'error',
        signal: AbortSignal.timeout?.(TIMEOUT)
      })
      const { status, ok, headers } = answer
      const text = await answer.text()
      // Nor is some page of HTML with a 200; with any other status it may be one.
      const said: Said | null = ok || text[0] === '{' ? JSON.parse(text || '{}') : {}
      const told = headers.get('x-session-tag')
      if (told !== null || ok || status === 400) {
        verified = true
        tag = `=${told}`
        store.remember('?', tag)
      }
      const faults = [said?.rejected ?? said?.details?.errors ?? []].flat()
      const good = batch.filter((entry, index) => {
        const fault = faults.find(fault => fault?.log_index === index)
        if (fault) drop(entry, 'refused', { status, ...fault })
        return !fault
      })
      const half = batch.length >> 1
      if (ok) failures = 0
      else if (status === 400 && (good.length < batch.length || !batch[0])) {
        if (good[0]) await send(good, owner)
      } else if (half && (status === 413 || /BULK_LIMIT/.test(said?.error_code ?? ''))) {
        if (status === 400) limit = half
        await send(batch.slice(0, half), owner)
        await send(batch.slice(half), owner)
      } else {
        if (/401|408|429|5../.test(status as unknown as string)) keep()
        else for (const entry of batch) drop(entry, 'refused', { status, message: said?.message })
        if (status === 401) {
          store.put(rest(), tag)
          tag = ''
          store.remember('?', '')
        }
        wait(headers.get('retry-after'))
      }
    } catch {
      keep()
      wait()
    } finally {
      underway -= share
    }
  }

  return {
    send,
    limit: (): number => limit,

    /**
     * Sends what was put aside, asking with an empty batch who is signed in unless the answer to a fresh one has just told.
     * In a hurry, the pause after this page's own failures is forgotten, but not what the server asked for. Resolves with
     * the milliseconds after which to come again, if so.
     */
    async run(next: () => string[] | undefined, hurry?: boolean): Promise<number | false> {
      if (hurry) pause = 0
      verified = false
      for (let batch = next(); batch; batch = next()) await send(batch)
      if (!verified && store.holds(tag)) await send([])
      while (verified && delay() <= 0) {
        const owner = tag
        const batch = await store.take(owner, limit, MAX_PIECE)
        if (!batch[0]) break
        await send(batch, owner)
      }
      return store.holds(tag) && Math.max(1000, delay())
    }
  }
}
