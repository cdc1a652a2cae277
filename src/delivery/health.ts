import type { Clock } from '../clock.js'
import { backoff } from './backoff.js'

const BACKOFF_BASE = 500
/** Batches of 1,000 shrink to one entry. */
const SMALLEST = 10

export interface Health {
  /** Milliseconds until the upstream may be tried again; 0 while all is well. */
  wait(): number
  /** True while anything is wrong: one request at a time, as a probe. */
  probing(): boolean
  wrong(): 'key' | 'upstream' | undefined
  /** Faults since Logtrail last dealt with a request; several at once are one. */
  failures(): number
  /** Largest batch worth risking now: half as large with each further failure, twice with each success. */
  shrink(entries: number): number
  /** A request sent at `sentAt` met a fault of the upstream, or none of our keys was accepted. */
  failed(sentAt: number): void
  keyRefused(): void
  keyChanged(): void
  /** Logtrail dealt with a request. */
  succeeded(): void
}

/**
 * Whether the upstream is there, and when to look again where it is not. Faults are waited out with backoff, without end.
 * A refused key is tried every `longestBackoff`, beside the moment in which another one is there.
 */
export function createHealth(clock: Clock, random: () => number, longestBackoff: number): Health {
  let failures = 0
  let failedAt = Number.NEGATIVE_INFINITY
  let nextTry = 0
  let keyRefused = false
  let shift = 0

  return {
    wait: () => Math.max(0, nextTry - clock.now()),
    probing: () => failures > 0 || keyRefused,
    wrong: () => (keyRefused ? 'key' : failures > 0 ? 'upstream' : undefined),
    failures: () => failures,
    shrink: entries => (keyRefused ? 1 : Math.max(1, entries >> shift)),

    failed(sentAt) {
      // Requests that were under way together and fail together are one failure.
      if (sentAt <= failedAt) return
      failedAt = clock.now()
      if (failures > 0) shift = Math.min(SMALLEST, shift + 1)
      nextTry = failedAt + backoff(failures++, BACKOFF_BASE, longestBackoff, random)
    },

    keyRefused() {
      keyRefused = true
      nextTry = clock.now() + longestBackoff
    },

    keyChanged() {
      if (keyRefused) nextTry = 0
    },

    succeeded() {
      failures = 0
      keyRefused = false
      nextTry = 0
      if (shift > 0) shift--
    }
  }
}
