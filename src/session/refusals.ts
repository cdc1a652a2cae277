import { BoundedMap } from '../bounded-map.js'
import type { HttpError } from '../errors.js'

/** So many are remembered. */
const MOST = 2_000

interface Refusal {
  error: HttpError
  until: number
}

/**
 * Sessions that were refused a moment ago, by their digests: what is asked of their source again costs it nothing. Apart from
 * the good ones, which a flood of bad ones must not push out; and briefly, by `ms`, since a session that is refused now may be
 * the one its user signs in with next.
 */
export class Refusals {
  readonly #ms: number
  readonly #known = new BoundedMap<Refusal>(MOST)

  constructor(ms: number) {
    this.#ms = ms
  }

  remember(id: string, error: HttpError, now: number): void {
    this.#known.set(id, { error, until: now + this.#ms })
  }

  /** @throws HttpError as it was refused before */
  check(id: string, now: number): void {
    const known = this.#known.get(id)
    if (known === undefined || now >= known.until) return
    throw known.error.with({})
  }

  clear(): void {
    this.#known.clear()
  }
}
