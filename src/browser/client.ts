import { asFields, createCapture } from './capture.js'
import { bytesOf, createDelivery, MAX_PIECE } from './delivery.js'
import type { DropDetail, DropReason, Fields, Level, Logger, Options } from './logger.js'
import { plain } from './plain.js'
import { createStore } from './store.js'

/*
 * The browser client: what becomes of an entry.
 *
 * `log.info(…)` copies it (plain.ts) into a batch in memory. A flush sends the batches: when `flushInterval` is over, one
 * is full, the page is hidden or goes, or the app says so. Every request is a keepalive one within the browser's budget,
 * so that what is on its way when the page goes still arrives. What is not delivered is put aside (store.ts), shared by
 * all tabs and kept for a day, or given up and told to `onDrop`. Each entry is in one place at a time, so nothing is sent
 * twice, except where an answer was lost; and nobody sees the answer to what was sent as the page went. Where sending has
 * just failed, or the network is off, a page that goes puts aside instead.
 *
 * Whose an entry is
 *
 * The server stamps entries with the user of the request's session, which the page cannot see: the cookie is HttpOnly.
 * It learns only from answers, by `X-Session-Tag`, and the user may change in between, also in another tab. Therefore:
 *
 *  1. An entry goes unasked only once, in the flush right after it was logged: it is of whoever is signed in then. So
 *     `await log.flush()` before signing out.
 *  2. What is put aside is put aside under the tag of the last answer. It is sent only right after an answer with the same
 *     tag; the answer to a fresh batch serves, else an empty batch is sent to ask, which the server refuses (400), with
 *     the tag. Nothing of another user's is asked for: it waits until that user is back.
 *  3. A 401 ends what is known. What was logged before it stays its user's, what is logged after it is of the next user.
 *  4. What is put aside before any answer is of nobody yet: the page's next answer tells. If the page is gone by then, it
 *     is of the next user that any page learns of, provided that this browser knew the same user last, or none. If it knew
 *     another one, nobody can tell whose the entry is, and it is kept until it expires, but never sent.
 *  5. An answer without a tag is a user, too: nobody.
 */
export type { DropDetail, DropReason, Entry, Fields, Level, Log, Logger, Options } from './logger.js'

// The last is a threshold only.
const LEVELS = 'trace debug info warn error fatal none'.split(' ') as Level[]
/** Most batches that wait in memory for the next flush. */
const MAX_FRESH = 200

/** Where the proxy serves this module it is beside it; a bundler puts the bundle's address here, webpack the file's path. */
const SERVED = /^(?!.*\/dist\/)(http.*)\/client\.js/

function merge(bound: Fields, given: unknown): Fields {
  const fields = (
    given instanceof Error ? asFields(given) : typeof given === 'object' ? plain(given) : given && { message: given }
  ) as Fields | undefined
  const merged = { ...bound, ...fields }
  for (const key in bound) {
    if (fields?.[key]?.constructor === Object) merged[key] = { ...(bound[key] as object), ...fields[key] }
  }
  return merged
}

/** A logger with a queue of its own. Neither this nor anything it returns throws; on a server or in a worker it does nothing. */
export function createLogger(options?: Options): Logger {
  const { base, level, batchSize, flushInterval, onDrop, captureErrors } = options ?? {}
  const threshold = LEVELS.indexOf(level as Level)
  const interval = flushInterval! >= 0 ? flushInterval! : 2000
  const now = (): string => new Date(performance.timeOrigin + performance.now()).toISOString()

  /** What was logged since the last flush, in batches; of the last one, the bytes. */
  const fresh: string[][] = []
  let size = 0
  let gone = false
  let due = Infinity
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = Promise.resolve()
  let captured: ReturnType<typeof createCapture> | undefined
  let delivery: ReturnType<typeof createDelivery> | undefined
  let muted = typeof document === 'undefined' ? 1 : 0

  const drop = (entry: string, reason: DropReason, detail: DropDetail = {}): void => {
    try {
      muted++
      const told = onDrop?.(JSON.parse(entry), reason, detail) as Promise<void> | undefined
      // An async onDrop that fails would come back as an unhandled rejection, to be logged and dropped again.
      told?.catch(() => {})
    } catch {
    } finally {
      muted--
    }
  }

  const add = (fields: Fields): void => {
    const entry = JSON.stringify(fields)
    const bytes = bytesOf(entry) + 1
    let batch = fresh[fresh.length - 1]
    if (bytes > MAX_PIECE - 9) drop(entry, 'size')
    else if (fresh.length > MAX_FRESH) drop(entry, 'overflow')
    else {
      const limit = delivery!.limit()
      if (!batch || batch.length >= limit || size + bytes >= MAX_PIECE) {
        batch = []
        fresh.push(batch)
        size = 9
      }
      size += bytes
      batch.push(entry)
      soon(fresh[1] || batch.length >= limit || hidden() ? 0 : interval)
    }
  }
  const hidden = (): boolean => document.visibilityState === 'hidden'

  const soon = (ms: number): void => {
    if (gone) queueMicrotask(leave)
    else if (Date.now() + ms < due) {
      clearTimeout(timer)
      due = Date.now() + ms
      // setTimeout takes 24 days at most and fires at once beyond; a spent month may last 31.
      timer = setTimeout(flush, Math.min(ms, 1e9))
    }
  }
  const flush = (hurry?: boolean): Promise<void> => {
    running = running
      .then(async () => {
        clearTimeout(timer)
        due = Infinity
        captured?.().forEach(add)
        const again = await delivery!.run(() => fresh.shift(), hurry)
        if (again) soon(again)
      })
      .catch(() => {})
    return running
  }
  const leave = (): void => {
    captured?.().forEach(add)
    for (const batch of fresh.splice(0)) delivery!.send(batch, '', true)
    if (!gone) soon(1000)
  }
  const hurry = (): Promise<void> => flush(true)

  try {
    if (!muted) {
      const address = String(base ?? (SERVED.exec(import.meta.url) ?? [0, '/logtrail'])[1]).replace(/\/+$/, '')
      const store = createStore(`logtrail:${address}`, drop)
      delivery = createDelivery(address, store, batchSize! >= 1 ? batchSize! : 50, drop, () => fresh.splice(0).flat())
      if (captureErrors) captured = createCapture(now, () => soon(interval))
      document.addEventListener('visibilitychange', () => (hidden() ? leave() : hurry()))
      addEventListener('pagehide', () => {
        gone = true
        leave()
      })
      addEventListener('pageshow', ({ persisted }) => {
        gone = false
        if (persisted) hurry()
      })
      addEventListener('online', hurry)
      // Late, so that entries logged meanwhile tell who is signed in and nothing else needs to ask.
      setTimeout(() => store.holds('') && flush(), 2000)
    }
  } catch {
    muted = 1
  }

  const logger = (bound: Fields): Logger => {
    const methods = { child: fields => logger(merge(bound, fields)), flush: hurry } as Logger
    LEVELS.forEach((level, rank) => {
      methods[level] = (action, fields) => {
        try {
          if (muted || rank < threshold) return
          add({ ...merge(bound, fields), action: String(action), level, clientTimestamp: now() })
        } catch {
          drop('{}', 'invalid')
        }
      }
    })
    return methods
  }
  return logger({})
}
