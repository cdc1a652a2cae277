import { asFields, createCapture } from './capture.js'
import { bytesOf, createDelivery, MAX_PIECE } from './delivery.js'
import { plain } from './plain.js'
import { createStore } from './store.js'

export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

// The last is a threshold only.
const LEVELS = 'trace debug info warn error fatal none'.split(' ') as Level[]
/** Most batches that wait in memory for the next flush. */
const MAX_FRESH = 200

/** What an entry may say besides its action, level and time (Logtrail's `CreateLogRequest`). */
export interface Fields {
  message?: string
  environment?: 'development' | 'staging' | 'production'
  actor?: object
  target?: object
  context?: object
  metadata?: object
  tags?: string[]
  [field: string]: unknown
}

export interface Entry extends Fields {
  action: string
  level: Level
  /** RFC 3339, by the page's monotonic clock. */
  clientTimestamp: string
}

/**
 * Why an entry was given up: `refused` by the server (the detail says why), `expired` after a day of waiting, `overflow`
 * of what may wait, `size` over 60,000 bytes, `invalid` where it could not be made at all.
 */
export type DropReason = 'refused' | 'expired' | 'overflow' | 'size' | 'invalid'

export interface DropDetail {
  status?: number
  field?: string
  message?: string
}

export interface Options {
  /** Where the proxy is: `https://app.example/logtrail`. Default: the folder this module was served from, or `/logtrail`. */
  base?: string | URL
  /** Entries below are not sent; `none` sends nothing. Default `trace`: everything. */
  level?: Level | 'none'
  /** Most entries in one request; not above the plan's where the proxy delivers directly. Default 50. */
  batchSize?: number
  /** Longest an entry waits for company, in milliseconds. Default 2000. */
  flushInterval?: number
  /** Told of every entry that is given up. Entries logged by it are ignored. */
  onDrop?(entry: Entry, reason: DropReason, detail: DropDetail): void
  /** Logs uncaught errors and unhandled rejections. Default false. */
  captureErrors?: boolean
}

/** Logs one entry: `log.info('checkout.paid', { metadata: { cart: 7 } })`. Also takes an error, or a message alone. */
export type Log = (action: string, fields?: Fields | Error | string) => void

export interface Logger extends Record<Level, Log> {
  /** A logger whose entries carry these fields, too; objects among them are merged one level deep. */
  child(fields: Fields): Logger
  /** Sends what waits, now. Resolves when all of it is delivered, put aside or given up; never rejects. */
  flush(): Promise<void>
}

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
      const address = String(base ?? SERVED.exec(import.meta.url)?.[1] ?? '/logtrail').replace(/\/+$/, '')
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
