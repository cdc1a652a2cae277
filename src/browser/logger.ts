export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

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
  /** RFC 3339, by the machine's clock. */
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

/** A plain object: only own enumerable properties are read. */
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
