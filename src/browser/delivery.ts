import type { DropDetail, DropReason } from './logger.js'
import { quietly } from './quiet.js'
import { bytesOf, MAX_PIECE, type Store, type Tag } from './store.js'

const TIMEOUT = 30_000
/** As the page goes, a request that has been under way for so long is taken for one that will fail. Milliseconds. */
const SLOW = 3000
/** What the server asks for is kept to up to here: a plan's month, but not a page that stands in for all with a date in 2099. */
const LONGEST = 3e9
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
  drop: (entry: string, reason: DropReason, detail?: DropDetail) => unknown,
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
  /** How to put aside what is under way; and since when it is. */
  const pending = new Map<() => void, number>()

  /** Milliseconds to wait before the next request, by this page's failures and by what the server told any tab. */
  const delay = (): number => Math.max(pause, +store.recall('until')) - Date.now()

  const wait = (retryAfter?: string | null): void => {
    pause = Date.now() + Math.random() * Math.min(MAX_WAIT, FIRST_WAIT * 2 ** failures++)
    // Seconds, or a date; one that is over takes back what was asked for before.
    const least = (retryAfter as unknown as number) * 1000 || Date.parse(retryAfter!) - Date.now()
    if (least < LONGEST) store.remember('until', pause + least)
  }

  /**
   * Sends a batch. Where its `owner` is known it waits if somebody else has been told of since, and the server is told to
   * take it only as the owner's. As the page is `leaving` only what outlives it goes, up to the first byte synchronously.
   * Never rejects.
   */
  const send = async (batch: string[], owner: Tag, leaving?: boolean, keys?: string[]): Promise<void> => {
    const keep = (): void => store.putAside(batch.splice(0), owner || tag, keys)
    const body = `[${batch}]`
    let size = bytesOf(body)
    verified = false
    underway += size
    try {
      if (
        delay() > 0 ||
        (owner && owner !== tag) ||
        underway >= MAX_PIECE ||
        (leaving && (failures || (online && !navigator.onLine)))
      )
        return
      if (leaving && !(fetch! && 'keepalive' in Request.prototype)) {
        if (navigator.sendBeacon(url, body)) batch = []
        return
      }
      pending.set(keep, keys ? 0 : Date.now())
      const answer = await quietly(() =>
        fetch(url, {
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
      )
      const { status, ok, headers } = answer!
      const text = await answer!.text()
      underway -= size
      size = 0
      // Nor is some page of HTML with a 200; with any other status it may be one.
      const told = headers.get('x-session-tag')
      const said: Said | undefined = (ok || text[0] === '{') && JSON.parse(text || '{}')
      // Nothing else is an answer that speaks of single entries, or may come without a tag from a session without one.
      const spoken = ok || (status === 400 && said)
      if (spoken || told) {
        verified = true
        // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
        tag = '=' + (told ?? '')
        owner ||= tag
        store.know(tag)
      }
      const { length } = batch
      batch = batch.filter((entry, index) => {
        const fault = spoken && [said?.rejected, said?.details?.errors].flat().find(fault => fault?.log_index === index)
        if (fault) drop(entry, 'refused', { status, ...fault })
        return !fault
      })
      // What goes again: all but those that were named, or else one half after the other.
      const most = batch.length < length ? length : length >> 1
      if (/BULK/.test(said?.error_code as string)) limit = most
      if (ok) {
        failures = 0
        batch = []
      } else if (/400|413/.test(status as unknown as string) && (most || (verified && !length))) {
        // The other half, which nobody has been sent yet, is to be put aside whenever the page goes. So is the first where it
        // had waited: that removes the record of both.
        pending.set(keep, 0)
        while (batch[0]) await send(batch.splice(0, most), owner, leaving, keys && [])
      } else if (status !== 401 || !owner || owner === tag) {
        if (!/401|408|429|5../.test(status as unknown as string))
          for (const entry of batch.splice(0)) drop(entry, 'refused', { status, ...said })
        if (status === 401) {
          keep()
          while (fresh[0]) store.putAside(fresh.pop()!, tag)
          tag = ''
          store.know('')
        }
        wait(headers.get('retry-after'))
      }
    } catch {
      if (!left) wait()
    } finally {
      underway -= size
      pending.delete(keep)
      keep()
    }
  }

  return {
    limit: () => limit,

    /** Sends what is fresh as the page goes, in whatever order the answers come. */
    leave(sure?: boolean | null, gone?: boolean): void {
      left = true
      while (fresh[0]) send(fresh.pop()!, sure ? tag : '', true)
      // Nobody will see their answers, and most likely these are no good ones.
      for (const [keep, since] of pending) if (gone && (failures || since < Date.now() - SLOW)) keep()
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
      // Not as the page goes: what is claimed nobody else could send for a while.
      let again = FIRST_WAIT
      while (verified && !left && delay() <= 0) {
        const owner = tag
        const keys = await store.take(owner, limit)
        const batch = keys.flatMap(store.read)
        if (!batch[0]) {
          again = TIMEOUT
          break
        }
        await send(batch, owner, false, keys)
      }
      return store.waiting(tag)[0] ? Math.max(again, delay()) : Infinity
    }
  }
}
