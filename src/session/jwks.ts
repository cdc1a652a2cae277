import { HttpError } from '../errors.js'
import type { HttpGet } from './http-get.js'
import { fromSet, type KeySource, type VerificationKey } from './jwt-keys.js'

export interface JwksOptions {
  url: string
  get: HttpGet
  close(): Promise<void>
  algorithms: readonly string[]
  userAgent: string
  now(): number
  /** Told when a key has come: what was refused may now hold. */
  onChange(): void
  /** Told once when fetching begins to fail, and once (undefined) when it works again. */
  onFault?: ((message: string | undefined) => void) | undefined
}

/** How old a set gets before it is fetched anew, in the background. A key that was withdrawn is believed this long. */
const REFRESH_MS = 300_000
/**
 * Fetches for keys that are not known are at least this far apart, whatever tokens arrive (interface, `SESSION_JWKS_URL`), and
 * so are all others once there are keys.
 */
const COOLDOWN_MS = 30_000
/** Without any keys nobody gets in, so it is tried sooner, and then ever later, up to the cooldown. */
const FIRST_RETRY_MS = 1_000
/** Identity providers publish a handful. A token without a `kid` is tried with each. */
const MAX_KEYS = 64

/**
 * A key set (RFC 7517) from a configured address; nothing in a token can name another one. One fetch at a time; while
 * fetching fails the keys last seen stay good. Nothing runs in the background without a request or a check.
 */
export function createJwksSource(options: JwksOptions): KeySource {
  const { get, algorithms, now, onChange, onFault } = options
  const url = new URL(options.url)
  const headers = { accept: 'application/json', 'user-agent': options.userAgent }
  let keys: readonly VerificationKey[] | undefined
  let fetching: Promise<void> | undefined
  let fault: string | undefined
  let failures = 0
  /** When the last fetch for a key that is not known began. */
  let soughtAt = Number.NEGATIVE_INFINITY
  /** When the last fetch began, when the last one ended, and when the last good one ended. */
  let triedAt = Number.NEGATIVE_INFINITY
  let lookedAt = Number.NEGATIVE_INFINITY
  let fetchedAt = Number.NEGATIVE_INFINITY

  async function load(): Promise<void> {
    try {
      const answer = await get(url, headers)
      if (answer.status !== 200) throw new Error(`it answers ${answer.status}`)
      replace(parseSet(answer.body, algorithms))
      fetchedAt = now()
      failures = 0
      if (fault !== undefined) onFault?.(undefined)
      fault = undefined
    } catch (error) {
      failures++
      const first = fault === undefined
      fault = `the key set at ${url.host} cannot be fetched: ${(error as Error).message}`
      if (first) onFault?.(fault)
    }
    lookedAt = now()
    fetching = undefined
  }

  /** The fetch under way, or a new one if it is time. */
  function fetch(): Promise<void> | undefined {
    return fetching ?? (now() >= nextTry() ? begin() : undefined)
  }

  /**
   * The same for a key that is not known. No matter how new the set is: a key may have been rotated in right after it was
   * fetched. But what fails is not tried more often for that.
   */
  function seek(): Promise<void> | undefined {
    if (fetching !== undefined) return fetching
    if (now() < soughtAt + COOLDOWN_MS || (fault !== undefined && now() < nextTry())) return undefined
    soughtAt = now()
    return begin()
  }

  function begin(): Promise<void> {
    triedAt = now()
    fetching = load()
    return fetching
  }

  function nextTry(): number {
    const wait = keys === undefined ? (failures === 0 ? 0 : FIRST_RETRY_MS * 2 ** (failures - 1)) : COOLDOWN_MS
    return triedAt + Math.min(wait, COOLDOWN_MS)
  }

  /** Keys that stay keep their identity, so that what they vouched for stays cached. */
  function replace(fresh: Map<string, VerificationKey>): void {
    const kept = new Map(keys?.map(key => [key.id, key]))
    let changed = false
    keys = [...fresh].map(([id, key]) => {
      const old = kept.get(id)
      if (old === undefined) changed = true
      kept.delete(id)
      return old ?? key
    })
    for (const gone of kept.values()) gone.live = false
    if (changed) onChange()
  }

  function tend(time: number): boolean {
    if (time >= fetchedAt + REFRESH_MS) void fetch()
    return keys !== undefined && time < lookedAt + 2 * REFRESH_MS
  }

  function matching(algorithm: string, kid: string | undefined): VerificationKey[] | undefined {
    return keys?.filter(key => key.algorithms.includes(algorithm) && (kid === undefined || key.kid === kid))
  }

  function unavailable(): HttpError {
    return new HttpError('SESSION_UNAVAILABLE', {
      retryAfter: Math.max(1, Math.ceil((nextTry() - now()) / 1000)),
      cause: fault
    })
  }

  void fetch()
  return {
    algorithms,
    tend,
    async find(algorithm, kid) {
      const looking = tend(now()) ? undefined : fetch()
      await looking
      let found = matching(algorithm, kid)
      if (found?.length === 0) {
        // a set that was waited for is as new as can be
        if (looking === undefined) await seek()
        found = matching(algorithm, kid)
        // The new key may well be in the set that cannot be had.
        if (found?.length === 0 && fault !== undefined) throw unavailable()
      }
      if (found === undefined) throw unavailable()
      return found
    },
    async check() {
      if (fault !== undefined || keys === undefined || now() >= fetchedAt + REFRESH_MS) await fetch()
      const count = keys?.length ?? 0
      const held = `${count} ${count === 1 ? 'key' : 'keys'} in use`
      if (fault !== undefined) return { ok: false, message: keys === undefined ? fault : `${fault}; ${held}` }
      if (count === 0)
        return { ok: false, message: `the key set at ${url.host} holds no key that fits ${algorithms.join(', ')}` }
      return { ok: true, message: `key set at ${url.host}: ${held}` }
    },
    close: options.close
  }
}

function parseSet(body: string, algorithms: readonly string[]): Map<string, VerificationKey> {
  let set: unknown
  try {
    set = JSON.parse(body)
  } catch {
    throw new Error('it is not JSON')
  }
  const list = (set as { keys?: unknown } | null)?.keys
  if (!Array.isArray(list)) throw new Error('it is not a key set')
  const keys = new Map<string, VerificationKey>()
  for (const jwk of list.slice(0, MAX_KEYS)) {
    const key = fromSet(jwk, algorithms)
    if (key !== undefined) keys.set(key.id, key)
  }
  return keys
}
