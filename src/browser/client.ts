import { asFields, createCapture } from './capture.js'
import { createDelivery } from './delivery.js'
import type { DropDetail, DropReason, Fields, Level, Logger, Options } from './logger.js'
import { plain } from './plain.js'
import { muted, quietly } from './quiet.js'
import { bytesOf, createStore, MAX_PIECE } from './store.js'

/*
 * The browser client: what becomes of an entry.
 *
 * `log.info(…)` copies it (plain.ts) into a batch in memory. A flush sends the batches: when `flushInterval` is over, one
 * is full, the page is hidden or goes, or the app says so. Every request is a keepalive one within the browser's budget,
 * so that what is on its way when the page goes still arrives. What is not delivered is put aside (store.ts), shared by
 * all tabs and kept for a day, or given up and told to `onDrop`. There it stays until its answer is in; one tab at a time
 * claims it. So while the page is there nothing is lost, and nothing is sent twice but where an answer was lost. Nobody sees
 * the answer to what is under way as the page goes: where sending has just failed, or has taken for 3 s already, that is put
 * aside, too, and sent again. A fresh batch sent then, or less than 3 s before, with no failure before it, is lost if it is
 * not taken (a 503, a 429, a 401, a connection that breaks), and `onDrop` is not told: were it put aside, the last batch of
 * every page would be sent twice. What is fresh then is put aside instead of sent where sending has just failed, or the
 * network is off.
 *
 * Whose an entry is
 *
 * The server stamps entries with the user of the request's session, which the page cannot see: the cookie is HttpOnly.
 * It learns only from answers, by `X-Session-Tag`, and the user may change in between, also in another tab. Therefore:
 *
 *  1. A page's first entries, and the first after a flush that the app asked for or after a quiet time (`flushInterval`
 *     without one), are of whoever is signed in then. Once the page has had an answer such an entry does not wait. If the
 *     proxy's answer does not come, rule 3 holds: it waits as an entry of the user whom this page knew, though in another
 *     tab another one may have signed in.
 *  2. What is logged while it waits for company, right after an answer, is of the user whom that answer named. It goes
 *     with the tag as a precondition: another user's session is refused (401), and it is put aside for its own. A page of
 *     another origin sends none, since the header would cost it a preflight; nor does a beacon. For nobody (rule 6) there
 *     is none to send: what waits for company while somebody signs in is of that user.
 *  3. What is put aside is put aside under the tag of the last answer. It is sent only right after an answer with the same
 *     tag; the answer to a fresh batch serves, else an empty batch is sent to ask, which the server refuses (400), with
 *     the tag. Nothing of another user's is asked for: it waits until that user is back.
 *  4. A 401 ends what is known. What was logged before it stays its user's, what is logged after it is of the next user.
 *  5. What is put aside before any answer is of nobody yet: the page's next answer tells. If the page is gone by then, it
 *     is of the next user that any page learns of, provided that this browser has known the same user ever since, or none.
 *     Otherwise nobody can tell whose the entry is, and it is kept until it expires, but never sent.
 *  6. An answer without a tag is a user, too: nobody.
 */
export type { DropDetail, DropReason, Entry, Fields, Level, Log, Logger, Options } from './logger.js'

// The last is a threshold only.
const LEVELS = 'trace debug info warn error fatal none'.split(' ') as Level[]
/** Most batches that wait in memory for the next flush. */
const MAX_FRESH = 200

/** Where the proxy serves this module it is beside it; a bundler puts the bundle's address here, webpack the file's path. */
const SERVED = /^(?!.*\/dist\/)(http.*)\/client\.js|$/

function merge(bound: Fields, given: unknown): Fields {
  const fields = quietly(() =>
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
  // A copy: getters that throw, and the like, are none any more.
  const { base, level, batchSize, flushInterval, onDrop, captureErrors } = { ...(plain(options) as Options) }
  let threshold = LEVELS.indexOf(level as Level)
  const interval = flushInterval! >= 0 ? flushInterval! : 2000

  /** What was logged since the last flush, in batches, newest first; of that one, the bytes. */
  const fresh: string[][] = []
  let size!: number
  /** Whether what waits is of the user that the last answer told; neither while nothing waits. */
  let sure: boolean | null | undefined
  /** Until when what is logged is taken to be of that user. */
  let trust = Infinity
  let gone: boolean | undefined
  let due = Infinity
  let timer: ReturnType<typeof setTimeout> | undefined
  let running = Promise.resolve()
  let captured: ReturnType<typeof createCapture> | undefined
  let delivery: ReturnType<typeof createDelivery> | undefined

  const drop = (entry: string, reason: DropReason, detail: DropDetail = {}): unknown =>
    quietly(() => {
      const told = onDrop?.(JSON.parse(entry), reason, detail) as Promise<void> | undefined
      // An async onDrop that fails would come back as an unhandled rejection, to be logged and dropped again.
      told?.catch(() => {})
    })

  const add = (fields: Fields): void => {
    const entry = JSON.stringify(fields)
    // With its comma, and for the batch's brackets.
    const bytes = bytesOf(entry) + 2
    if (bytes >= MAX_PIECE) drop(entry, 'size')
    else if (fresh[MAX_FRESH]) drop(entry, 'overflow')
    else {
      if (!fresh[0] || size + bytes >= MAX_PIECE) {
        fresh.unshift([])
        size = 0
      }
      size += bytes
      if (fresh[0]!.push(entry) >= delivery!.limit()) size = MAX_PIECE
      soon(fresh[1] || size === MAX_PIECE ? 0 : patience())
    }
  }
  /** Milliseconds that a fresh entry may wait for company. After a quiet time none: it is of whoever is signed in now. */
  const patience = (): number => {
    sure ??= Date.now() < trust
    return sure && !document.hidden ? interval : 0
  }

  const soon = (ms: number): void => {
    if (gone) Promise.resolve().then(leave)
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
        captured?.()
        clearTimeout(timer)
        due = Infinity
        trust = hurry ? 0 : Date.now() + interval
        const again = delivery!.run(sure, hurry)
        sure = true
        soon(await again)
        if (!fresh[0]) sure = null
      })
      .catch(() => {})
    return running
  }
  const leave = (): void => {
    captured?.()
    delivery!.leave(sure, gone)
    sure = null
    if (!gone) soon(1000)
  }
  const hurry = (): Promise<void> => flush(true)

  try {
    // Before any listener, which would throw without it: an address that is none ends it here, and so does a server.
    const address = ((base as string) ?? SERVED.exec(import.meta.url)![1] ?? '/logtrail').replace(/\/+$/, '')
    const store = createStore(`logtrail:${address}`, drop)
    delivery = createDelivery(address, store, batchSize ?? 50, drop, fresh)
    // In a worker there is none: that ends it here.
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) leave()
      else {
        // It may be back from the back-forward cache.
        gone = false
        hurry()
      }
    })
    addEventListener('pagehide', () => {
      gone = true
      leave()
    })
    addEventListener('online', hurry)
    if (captureErrors && threshold < 5) captured = createCapture(() => soon(patience()), drop, add)
    // Late, so that entries logged meanwhile tell who is signed in and nothing else needs to ask.
    soon(2000)
  } catch {
    threshold = 9
  }

  const logger = (bound: Fields): Logger => {
    const methods = { child: fields => logger(merge(bound, fields)), flush: hurry } as Logger
    LEVELS.forEach((level, rank) => {
      methods[level] = (action, fields) => {
        try {
          if (!muted && rank >= threshold)
            add({ ...merge(bound, fields), action: String(action), level, clientTimestamp: new Date() })
        } catch {
          drop('{}', 'invalid')
        }
      }
    })
    return methods
  }
  return logger({})
}
