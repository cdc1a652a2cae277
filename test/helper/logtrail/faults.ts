/** What a bad day at Logtrail looks like to its client. */
export type Fault =
  /** The connection is reset before the body is read, at its first bytes, or once it was read. Nothing is stored. */
  | { kind: 'reset-before' | 'reset-within' | 'reset-after' }
  /** The entries are stored, and the client never learns: no answer at all, a reset, or half an answer and a reset. */
  | { kind: 'store-silent' | 'store-reset' | 'store-cut' }
  /** The body is read and nothing ever comes back; nothing is stored. */
  | { kind: 'hang' }
  /** Any status; `body` is Logtrail's JSON (default), a gateway's HTML, or nothing. Stored only where `store` says so. */
  | {
      kind: 'status'
      status: number
      body?: 'json' | 'html' | 'empty'
      code?: string
      message?: string
      retryAfter?: number | string
      store?: boolean
    }
  /** Stored; the answer comes a byte at a time, one every `everyMs` (default 200). */
  | { kind: 'drip'; everyMs?: number }
  /** Bytes that are not HTTP. Nothing is stored. */
  | { kind: 'garbage' }
  /** 307 to `location` (default: a loopback address nobody should ever ask). Nothing is stored. */
  | { kind: 'redirect'; location?: string; status?: number }
  /** A wrong address's 404, or a captive portal's 200, both in HTML. Nothing is stored. */
  | { kind: 'not-found' | 'portal' }
  /** Stored and answered 201, but with the key in body and headers, cookies set, and headers no browser should see. */
  | { kind: 'echo-key' }
  /** Stored and answered 201 with a JSON body of `bytes` (default 4 MiB). */
  | { kind: 'huge'; bytes?: number }

export type FaultKind = Fault['kind']

/** All that a long run should survive. Statuses that speak of entries or of the key are left out: they are not faults. */
export const EVERY_FAULT: readonly Fault[] = [
  { kind: 'reset-before' },
  { kind: 'reset-within' },
  { kind: 'reset-after' },
  { kind: 'store-silent' },
  { kind: 'store-reset' },
  { kind: 'store-cut' },
  { kind: 'hang' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 500, store: true },
  { kind: 'status', status: 502, body: 'html' },
  { kind: 'status', status: 503, body: 'html', retryAfter: 1 },
  { kind: 'status', status: 504, body: 'empty' },
  { kind: 'status', status: 429, retryAfter: 1 },
  { kind: 'status', status: 429 },
  { kind: 'status', status: 408 },
  { kind: 'drip', everyMs: 20 },
  { kind: 'garbage' },
  { kind: 'redirect' },
  { kind: 'not-found' },
  { kind: 'portal' },
  { kind: 'echo-key' }
]

export interface FaultMix {
  /** The same seed gives the same sequence; print it where a run may fail. */
  seed: number
  /** Share of requests that meet a fault, 0 to 1. */
  share: number
  /** Default: EVERY_FAULT. */
  of?: readonly Fault[]
}

/** mulberry32: small, seeded, good enough to pick faults. */
function createRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}

export interface FaultPlan {
  /** The next requests meet these, one each, before any mix is asked. `null` lets one request through. */
  push(...faults: (Fault | null)[]): void
  /** From now on; undefined ends it. */
  mix(mix: FaultMix | undefined): void
  /** Every request from now on, once the queue is empty; undefined ends it. */
  always(fault: Fault | undefined): void
  clear(): void
  next(): Fault | undefined
  readonly waiting: number
}

export function createFaultPlan(initial?: readonly (Fault | null)[], mixed?: FaultMix): FaultPlan {
  let queue: (Fault | null)[] = [...(initial ?? [])]
  let standing: Fault | undefined
  let draw: (() => Fault | undefined) | undefined
  const plan: FaultPlan = {
    push: (...faults) => void queue.push(...faults),
    mix(mix) {
      if (!mix) {
        draw = undefined
        return
      }
      const random = createRandom(mix.seed)
      const kinds = mix.of ?? EVERY_FAULT
      draw = () => (random() < mix.share ? kinds[Math.floor(random() * kinds.length)] : undefined)
    },
    always(fault) {
      standing = fault
    },
    clear() {
      queue = []
      standing = undefined
      draw = undefined
    },
    next() {
      if (queue.length > 0) return queue.shift() ?? undefined
      return standing ?? draw?.()
    },
    get waiting() {
      return queue.length
    }
  }
  plan.mix(mixed)
  return plan
}
