import type { Clock } from '../clock.js'
import type { Fault, HttpError } from '../errors.js'
import type { LogtrailClient } from '../logtrail/client.js'
import type { EntryId, Outbox, Started } from '../outbox/outbox.js'
import type { Budget } from './budget.js'
import type { Aside } from './resting.js'
import type { SettlementOptions } from './settlement.js'

/** What keeps entries from leaving: no accepted key, a failing upstream, a 429 of the rate limit, a spent month. */
export type Degraded = 'key' | 'upstream' | 'rate' | 'quota'

/** What is said of keys that change; a Keyring is one. */
export interface KeyChanges {
  on(event: 'change', listener: () => void): void
  off(event: 'change', listener: () => void): void
  state(): readonly { state: string }[]
}

/** What sender, pooled and queued delivery are all given. Durations are milliseconds. */
export interface DeliveryOptions {
  client: Pick<LogtrailClient, 'post'>
  budget: Budget
  clock: Clock
  /** A refused key is tried again as soon as it says that there is another one, not only every so often. */
  keyring?: KeyChanges
  /** Entries in one request, at most (LOGTRAIL_MAX_BATCH). */
  maxBatch: number
  /** Bytes of one request's body, at most. */
  maxBytes: number
  /** BATCH_MAX_WAIT */
  maxWait: number
  random?: () => number
  requestId?: () => string
  /** Told when it changes, with the fault behind it: for the log, the metric and /readyz. */
  onState?: (degraded: Degraded | null, cause: HttpError | undefined) => void
  /** A request met a fault, or the outbox could not be written: for the log. */
  onFault?: (error: unknown) => void
}

/** The checked entries of one request of a browser. */
export interface DeliveryRequest {
  /** Name of the user's queue: 'u:<id>' or 'a:<address>'. */
  user: string
  /** Serialised. There may be none, when all were filtered. */
  entries: readonly string[]
  /** From a bulk request: faults then name the index in it. */
  bulk: boolean
}

/** What a browser is told. */
export interface Receipt {
  accepted: number
  /** Pooled: entries that Logtrail refused, where it took others of the request. */
  rejected?: Fault[]
}

/** What the composition root needs of either way to deliver. */
export interface Delivery {
  /** Opens the outbox; what it holds of an earlier run goes out first. */
  start(): Promise<Started>
  /** @throws HttpError as the interface says; then the browser has to send the whole request again */
  deliver(request: DeliveryRequest): Promise<Receipt>
  /** Sends what it can within `ms`, keeps the rest where it can be kept, and closes the outbox. May be called twice. */
  stop(ms: number): Promise<void>
  /** As a browser would be told why nothing goes at the moment; undefined while Logtrail deals with requests. */
  fault(): HttpError | undefined
}

export interface SenderOptions extends DeliveryOptions {
  outbox: Outbox
  /** Requests that are not full are kept apart by so much at most, when the budget is drained. */
  longestWait: number
  /** Longest backoff while the upstream fails; a key that it refuses is tried every so often. */
  longestBackoff: number
  /** When entries are tried again that seem to be what the upstream stumbles over. */
  aside: Aside
  /** Sends without waiting for `maxWait` while nothing else is happening: somebody waits for the answer. */
  eager: boolean
  settlement: SettlementOptions
  /** False for an entry whose browser has gone: it is forgotten instead of sent (again). */
  wanted?: (id: EntryId) => boolean
  /** Logtrail has answered 429. */
  onPause?: () => void
}

export interface Sender {
  start(): void
  /**
   * Sends what it can within `ms` without waiting for company, then gives up what is under way and returns those entries
   * to the outbox. Resolves at once where nothing can be sent within that time. A second call awaits the first.
   */
  stop(ms: number): Promise<void>
  /** As a browser would be told why nothing goes at the moment; undefined while Logtrail deals with requests. */
  fault(): HttpError | undefined
  /** Some entries are no longer wanted; their users' others may be claimed. */
  forget(): void
  /** Returns to the outbox what rests here between two requests and was received before a time (see Clock.wall). */
  giveBack(before: number): void
}
