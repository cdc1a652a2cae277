import type { Clock } from '../clock.js'
import type { ClaimBounds } from '../outbox/outbox.js'

/** Logtrail said once that less is allowed than we were told; believed for so long, then tried again. */
const REMEMBERED = 3_600_000

export interface Bounds {
  now(): ClaimBounds
  /** Logtrail found a batch of so many entries too long. */
  tooMany(entries: number): void
  /** Logtrail found a bulk body of so many bytes too large. */
  tooLarge(bytes: number): void
}

/** How much goes into one request: what configuration says, or half of what Logtrail refused within the last hour. */
export function createBounds(configured: ClaimBounds, clock: Clock): Bounds {
  let { entries, bytes } = configured
  let lowered = false
  let until = 0

  function lower(): void {
    lowered = true
    until = clock.now() + REMEMBERED
  }

  return {
    now() {
      if (lowered && clock.now() >= until) {
        lowered = false
        ;({ entries, bytes } = configured)
      }
      return { entries, bytes }
    },
    tooMany(refused) {
      entries = Math.max(1, Math.min(entries, Math.floor(refused / 2)))
      lower()
    },
    tooLarge(refused) {
      bytes = Math.max(1, Math.min(bytes, Math.floor(refused / 2)))
      lower()
    }
  }
}
