/**
 * Where entries wait between the browser and Logtrail: one interface, over memory (pooled), disk and Redis (queued).
 *
 * The guarantees, which `test/outbox/behaviour.ts` holds every store to:
 *
 * - What `append` resolved for is claimed until it is acknowledged, or is a dead letter; nothing leaves otherwise. At least
 *   once, not once: an acknowledgement may be lost in a crash, and then the entry is claimed again.
 * - A user's entries are claimed in the order in which their appends resolved, and no two claims hold entries of one user
 *   at a time. So whoever settles a claim before sending the next keeps each user's order without knowing of users.
 * - Users take turns: with many entries of one waiting, another's single entry is in one of the next claims.
 * - Claims are not durable: after a crash, everything that was not settled is waiting again, in its old order.
 *
 * An entry is in one of three states: waiting, claimed, dead. `stats().waiting` counts the first two.
 */

/** Given by the store. Numbers or strings, comparable by `===`, never used again in the lifetime of what is stored. */
export type EntryId = number | string

export interface NewEntry {
  /** Name of the queue the entry waits in, one for a user: 'u:<id>' or 'a:<address>'. The store gives it no meaning. */
  user: string
  /** The entry as it will be sent: one JSON value, serialised. */
  body: string
}

export interface Claimed {
  id: EntryId
  user: string
  body: string
  /** Milliseconds of the clock at the append. A clock may jump: an age is `Math.max(0, now - receivedAt)`. */
  receivedAt: number
}

/** Why an entry became a dead letter. */
export interface DeadReason {
  /** Logtrail's error_code, or one of this program's own (`EXPIRED`). */
  code: string
  /** HTTP status of the answer, where there was one. */
  status?: number
  message: string
  /** Body of Logtrail's answer; cut to {@link MAX_ANSWER} characters by the store. */
  answer?: string
}

/** Longest `answer` and `message` that a dead letter keeps, in characters. */
export const MAX_ANSWER = 4096

/** As it is stored. */
export function cutReason({ code, status, message, answer }: DeadReason): DeadReason {
  const kept: DeadReason = { code, message: message.slice(0, MAX_ANSWER) }
  if (status !== undefined) kept.status = status
  if (answer !== undefined) kept.answer = answer.slice(0, MAX_ANSWER)
  return kept
}

/** As it is listed: an answer may repeat what the entry holds, so it goes with the bodies alone. */
export function listedReason({ answer, ...reason }: DeadReason, bodies: boolean): DeadReason {
  return bodies && answer !== undefined ? { ...reason, answer } : reason
}

/** @param maxAge milliseconds */
export function tooOld(maxAge: number): DeadReason {
  return { code: 'EXPIRED', message: `It waited longer than ${maxAge / 1000} seconds.` }
}

export interface DeadLetter {
  id: EntryId
  receivedAt: number
  buriedAt: number
  /** Bytes that it takes of the outbox's bound. */
  bytes: number
  reason: DeadReason
  /** Users' data: only where `list` was asked for it. */
  user?: string
  body?: string
}

export interface ListOptions {
  /** At most so many, oldest first; 100 where nothing is said. */
  limit?: number
  /** Go on after this id. */
  after?: EntryId
  /** Also say `user`, `body` and the reason's `answer`. */
  bodies?: boolean
}

/** Entries that Logtrail refused, or that grew too old. They stay until they are retried or purged. */
export interface DeadLetters {
  list(options?: ListOptions): Promise<DeadLetter[]>
  /**
   * Moves dead letters to the ends of their users' queues, under new ids, received now (else one that had expired would
   * expire again). Each is durably in exactly one of the two places at any time. Unknown ids are passed over; on the
   * command line ids are text, so '17' finds 17. Resolves with how many were moved.
   */
  retry(ids: readonly EntryId[] | 'all'): Promise<number>
  /** Deletes dead letters for good and durably. Resolves with how many there were. */
  purge(ids: readonly EntryId[] | 'all'): Promise<number>
}

export interface OutboxStats {
  /** Entries not settled: waiting or claimed. As last known, where several processes share the store. */
  waiting: number
  /** Those of `waiting` that this process has claimed. */
  claimed: number
  /** Bytes taken by entries not settled and by dead letters together: what the bound is held against. */
  bytes: number
  /** `receivedAt` of the entry that waits longest; absent while none waits. */
  oldest?: number
  deadLetters: number
  /** False while appends would fail because the store cannot be written (not because it is full): /readyz says 503. */
  writable: boolean
  /** What keeps it from being written; for logs and /status, without users' data. */
  fault?: string
}

export interface Started {
  /** Entries of an earlier run that wait here. */
  inherited: number
  /** What was found damaged, in words, and where it was put aside; to be logged at error level. */
  damage?: string
  setAside?: string
}

export interface ClaimBounds {
  /** At least 1. */
  entries: number
  /**
   * Bytes of a JSON array of the bodies, brackets and commas included. Stores may count a few bytes more for an entry than
   * its body has. An entry larger than this alone is claimed alone.
   */
  bytes: number
}

export interface Outbox {
  /**
   * Opens the store; to be awaited before anything else. May be called twice.
   * @throws {@link OutboxUnusableError} where the place is, {@link OutboxLockedError} where that is for another process
   */
  start(): Promise<Started>

  /**
   * Stores entries at the ends of their users' queues, all or none.
   * Durable (as far as the store is) once it resolved; the ids are in the order of the entries. When it rejects, no entry
   * is ever claimed in this process; after a crash in between, one may turn up all the same.
   * The order of resolving is the order of the queue. A store in memory answers without a promise.
   * @throws HttpError QUEUE_FULL where the bound would be passed (entries already stored are never dropped for new ones) or
   *   the store cannot be written; SHUTTING_DOWN after `stop`. With Retry-After.
   */
  append(entries: readonly NewEntry[]): EntryId[] | Promise<EntryId[]>

  /**
   * Takes entries to be sent, at most the bounds; `[]` if there are none to take. Users in turn, a few entries of each;
   * users with claimed entries are passed over. The caller settles each entry by one of `acknowledge`, `release`, `bury`.
   * Resolves with `[]` too while the store cannot be read; it never rejects.
   */
  claim(max: ClaimBounds): Claimed[] | Promise<Claimed[]>

  /**
   * Claimed entries were delivered: forget them. In this process at once; durably some time after (see at least once).
   * Ids that are not claimed are passed over, here and in `release` and `bury`, so that settling twice does no harm.
   */
  acknowledge(ids: readonly EntryId[]): void | Promise<void>

  /** Claimed entries were not delivered: back to their places in front of their users' queues. In memory alone, at once. */
  release(ids: readonly EntryId[]): void

  /**
   * Claimed entries become dead letters, atomically and durably: a crash finds each in one of the two places.
   * Never refused for want of room. When it rejects (the store cannot be written) the entries are still claimed.
   */
  bury(items: readonly { id: EntryId; reason: DeadReason }[]): void | Promise<void>

  /**
   * Entries that have waited longer than `maxAge` milliseconds become dead letters with the code `EXPIRED`; those
   * claimed at the moment are spared. Works in slices and lets others run in between. Resolves with how many;
   * a store that cannot be written leaves the rest for the next call.
   */
  expire(maxAge: number): number | Promise<number>

  /** Cheap enough for every request. */
  stats(): OutboxStats

  readonly deadLetters: DeadLetters

  /**
   * `listener` is called after entries came to wait that may be claimed at once: appended, retried dead letters, or what could
   * not be buried for its age; not by `release` or by settling. In the tick in which they came, or in which this process
   * learned of them, many at once possibly. Returns what ends it.
   */
  onAppend(listener: () => void): () => void

  /**
   * Of a store that several processes share: `listener` is called in the moment in which this one may no longer send what it has
   * claimed. Another claims it, and to settle it here does nothing. Returns what ends it.
   */
  onLost?(listener: () => void): () => void

  /** Likewise: whether this process may send what it has claimed. Asked before an entry is sent that was claimed a while ago. */
  holds?(): boolean

  /**
   * No more appends from here on; waits for those that are being written, then closes. Claims that are open are forgotten:
   * their entries wait in the next run. May be called twice, and before `start`.
   */
  stop(): Promise<void>
}

/** The configured place cannot be used, in words for whoever set QUEUE_PATH: `serve` ends with 78. */
export class OutboxUnusableError extends Error {
  override readonly name: string = 'OutboxUnusableError'
  readonly path: string

  constructor(path: string, why: string) {
    super(`QUEUE_PATH ${path} ${why}`)
    this.path = path
  }
}

/** Another process holds the store. */
export class OutboxLockedError extends OutboxUnusableError {
  override readonly name = 'OutboxLockedError'

  constructor(path: string) {
    super(path, 'is in use by another process: each running serve needs a path of its own')
  }
}
