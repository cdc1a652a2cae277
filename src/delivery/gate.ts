import type { Clock } from '../clock.js'
import type { ClaimBounds, Claimed } from '../outbox/outbox.js'
import type { Budget } from './budget.js'
import { paceOf } from './pace.js'

/** Entries that wait but could not be claimed (another process has them, the store cannot be read) are asked for again. */
const ASK_AGAIN = 1000

export interface GateOptions {
  clock: Clock
  budget: Pick<Budget, 'fullness' | 'interval' | 'proven'>
  /** An entry waits so long for company: BATCH_MAX_WAIT. */
  maxWait: number
  /** Requests are kept apart by so much at most. */
  longestWait: number
  eager: boolean
}

/** How it stands with the sender. */
export interface Situation {
  /** Entries that wait and are not claimed. */
  unclaimed: number
  /** Of a full batch. */
  size: ClaimBounds
  /** No request is under way. */
  idle: boolean
  /** Wait for no company, and not for what others have claimed. */
  drain: boolean
  /** Wait for no company, as it is to find out something. */
  probe: boolean
}

/** What the yield of a claim is judged by: how it stood when the claim was allowed. */
export interface Expected {
  unclaimed: number
  /** Entries of a full batch, as far as their size is known. */
  full: number
  bytes: number
  /** Whatever it yields is sent. */
  must: boolean
}

/** Decides when a batch is worth a request; the tokens themselves are the budget's. */
export interface Gate {
  /** @returns milliseconds to wait, 0 to claim now, without end while nothing waits; and what `claimed` is to be told then */
  hold(situation: Situation): { wait: number; claim: Expected }
  /** Whether the wait is over, before its time, with the next turn of the event loop: who comes in that goes along. */
  soon(): boolean
  /** What a claim yielded. @returns whether to send it; otherwise it goes back and waits for more. */
  claimed(entries: readonly Claimed[], claim: Expected): boolean
  /** A request leaves, whatever it holds: the next one that is not full keeps its distance. */
  sent(): void
  /** A batch was settled or returned: users that were passed over may be claimed from. */
  freed(): void
}

export function createGate({ clock, budget, maxWait, longestWait, eager }: GateOptions): Gate {
  /** Since when entries wait that could be claimed, as far as we know. */
  let since: number | undefined
  let lastSent = Number.NEGATIVE_INFINITY
  /** Entries that wait behind claimed ones of their users: found out by claiming. */
  let blocked = 0
  let blockedAt = 0
  /** Entries could be claimed when we looked last, and somebody waits for them. */
  let hurried = false
  /** Of one entry, on an average that forgets. */
  let entryBytes = 0
  /** Entries that have waited their time and are still here, as the batch was full without them. */
  let owed = 0

  return {
    hold({ unclaimed, size, idle, drain, probe }) {
      const now = clock.now()
      const { bytes } = size
      const full = entryBytes === 0 ? size.entries : Math.min(size.entries, Math.max(1, Math.floor(bytes / entryBytes)))
      if (blocked > 0 && idle && now >= blockedAt + ASK_AGAIN) blocked = 0
      const free = unclaimed - blocked
      const claim = { unclaimed, full, bytes, must: false }
      if (free <= 0) {
        since = undefined
        hurried = false
        const askAgain = unclaimed > 0 && idle && !drain
        return { wait: askAgain ? blockedAt + ASK_AGAIN - now : Number.POSITIVE_INFINITY, claim }
      }
      since ??= now
      const fullness = budget.proven() ? budget.fullness() : 1
      const pace = paceOf({ interval: budget.interval(), fullness, longest: longestWait })
      const apart = lastSent + pace - now
      const left = Math.max(0, since + maxWait - now, apart)
      const hurry = eager && idle && (pace <= maxWait || apart <= 0)
      if (left === 0) owed = free
      claim.must = drain || probe || owed > 0 || (hurry && hurried)
      if (claim.must || free >= full) return { wait: 0, claim }
      hurried = hurry
      return { wait: left, claim }
    },

    soon: () => hurried,

    claimed(entries, { unclaimed, full, bytes, must }) {
      let size = 0
      for (const entry of entries) size += entry.body.length + 1
      if (entries.length > 0) {
        const average = size / entries.length
        entryBytes = entryBytes === 0 ? average : entryBytes * 0.9 + average * 0.1
      }
      hurried = false
      owed = entries.length === 0 ? 0 : Math.max(0, owed - entries.length)
      // Less than a full batch although more wait: the others' users are busy.
      const thin = entries.length < Math.min(full, unclaimed) && size + 2 * entryBytes < bytes
      if (thin || entries.length === 0) {
        blocked = unclaimed - entries.length
        blockedAt = clock.now()
      }
      if (entries.length === 0) {
        since = undefined
        return false
      }
      if (thin && !must) return false
      since = undefined
      return true
    },

    sent() {
      lastSent = clock.now()
    },

    freed() {
      blocked = 0
    }
  }
}
