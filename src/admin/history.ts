import { LatencyWindow, type Quantiles } from './latency.js'

/** Seconds that are kept, one point each. */
export const SPAN = 300
/** Quantiles of a point are those of so many seconds, so that little traffic still makes a line. */
const SMOOTH = 10
/** Of error codes there are some thirty; were there ever more, the rest is one. */
const MOST_REASONS = 48

export const SERIES = [
  'taken',
  'refused',
  'received',
  'delivered',
  'upstream',
  'p50',
  'p95',
  'p99',
  'upstream50',
  'upstream95',
  'upstream99',
  'waiting',
  'age',
  'budget'
] as const
export type Series = (typeof SERIES)[number]
/** One second; null where there is nothing to say. */
export type Point = Record<Series, number | null>

/** What is read once a second. */
export interface Sample {
  received: number
  delivered: number
  waiting?: number
  ageSeconds?: number
  budget?: number
}

export type Few = 'none' | 'one' | 'several'

export interface History {
  /** An answered request. Here and below: called for every request, so they count and do nothing else. */
  request(status: number, errorCode: string | undefined, milliseconds: number | undefined): void
  upstream(seconds: number): void
  /** Who asked, for telling whether all are one: the address, and the user's tag where there is one. */
  client(address: string): void
  user(tag: string | undefined): void
  untrustedForwarding(): void
  /** Ends the seconds that are over. @returns how many those were */
  tick(): number
  last(): Point
  /** Oldest first, `SPAN` long. */
  points(): Record<Series, (number | null)[]>
  /** Refused requests of the span by reason, most first. */
  refusals(): Record<string, number>
  lastMinute(): {
    taken: number
    refused: number
    received: number
    delivered: number
    upstream: number
    requestMs: Quantiles | null
    upstreamMs: Quantiles | null
  }
  /** Of the last 5 to 10 minutes. */
  clients(): { requests: number; addresses: Few; users: Few; untrustedForwarding: boolean }
}

/** @param now milliseconds that never go back; @param read is asked at the end of each second */
export function createHistory(read: () => Sample, now: () => number = performance.now.bind(performance)): History {
  const rings = Object.fromEntries(SERIES.map(name => [name, new Float64Array(SPAN).fill(Number.NaN)])) as Record<
    Series,
    Float64Array
  >
  const reasons = new Map<string, Uint32Array>()
  const requests = new LatencyWindow()
  const exchanges = new LatencyWindow()
  let second = Math.floor(now() / 1000)
  let slot = 0
  let taken = 0
  let refused = 0
  let sent = 0
  let before = read()
  let crowd = new Crowd()
  let crowdBefore = new Crowd()
  let crowdSince = second

  function reasonOf(name: string): Uint32Array {
    const known = reasons.get(name)
    if (known) return known
    if (reasons.size >= MOST_REASONS && name !== 'other') return reasonOf('other')
    const made = new Uint32Array(SPAN)
    reasons.set(name, made)
    return made
  }

  function endSecond(sample: Sample): void {
    const fast = requests.quantiles(SMOOTH)
    const far = exchanges.quantiles(SMOOTH)
    const point: Record<Series, number | undefined> = {
      taken,
      refused,
      received: sample.received - before.received,
      delivered: sample.delivered - before.delivered,
      upstream: sent,
      p50: fast?.p50,
      p95: fast?.p95,
      p99: fast?.p99,
      upstream50: far?.p50,
      upstream95: far?.p95,
      upstream99: far?.p99,
      waiting: sample.waiting,
      age: sample.ageSeconds,
      budget: sample.budget
    }
    for (const name of SERIES) rings[name][slot] = point[name] ?? Number.NaN
    before = sample
    taken = 0
    refused = 0
    sent = 0
    requests.turn()
    exchanges.turn()
    slot = (slot + 1) % SPAN
    for (const ring of reasons.values()) ring[slot] = 0
  }

  const orNull = (value: number): number | null => (Number.isNaN(value) ? null : value)

  function sum(name: Series): number {
    let total = 0
    for (let back = 1; back <= 60; back++) total += rings[name][(slot - back + SPAN) % SPAN]! || 0
    return total
  }

  return {
    request(status, errorCode, milliseconds) {
      if (milliseconds !== undefined) requests.observe(milliseconds)
      if (status < 400) {
        taken++
        return
      }
      refused++
      reasonOf(errorCode || `HTTP ${status}`)[slot]!++
    },
    upstream(seconds) {
      sent++
      exchanges.observe(seconds * 1000)
    },
    client: address => crowd.client(address),
    user: tag => crowd.user(tag),
    untrustedForwarding() {
      crowd.untrusted = true
    },
    tick() {
      const current = Math.floor(now() / 1000)
      const over = current - second
      if (over <= 0) return 0
      const sample = read()
      // after a standstill (a laptop's sleep, a busy processor) its seconds are empty, and longer ones than the span are gone
      for (let i = Math.min(over, SPAN); i > 0; i--) endSecond(sample)
      second = current
      if (current - crowdSince >= SPAN) {
        crowdBefore = crowd
        crowd = new Crowd()
        crowdSince = current
      }
      return over
    },
    last: () => Object.fromEntries(SERIES.map(name => [name, orNull(rings[name][(slot - 1 + SPAN) % SPAN]!)])) as Point,
    points() {
      const inOrder = (ring: Float64Array) => Array.from(ring, (_, i) => orNull(ring[(slot + i) % SPAN]!))
      return Object.fromEntries(SERIES.map(name => [name, inOrder(rings[name])])) as Record<Series, (number | null)[]>
    },
    refusals() {
      const counted = [...reasons].map(([name, ring]) => [name, ring.reduce((a, b) => a + b, 0)] as const)
      return Object.fromEntries(counted.filter(([, count]) => count > 0).sort((a, b) => b[1] - a[1]))
    },
    lastMinute: () => ({
      taken: sum('taken'),
      refused: sum('refused'),
      received: sum('received'),
      delivered: sum('delivered'),
      upstream: sum('upstream'),
      requestMs: requests.quantiles(60) ?? null,
      upstreamMs: exchanges.quantiles(60) ?? null
    }),
    clients: () => crowd.with(crowdBefore)
  }
}

/** Whether all are one, without remembering who. */
class Crowd {
  #requests = 0
  #address: string | undefined
  #addresses = false
  #user: string | undefined
  #users = false
  untrusted = false

  client(address: string): void {
    this.#requests++
    if (this.#address === undefined) this.#address = address
    else if (this.#address !== address) this.#addresses = true
  }

  user(tag: string | undefined): void {
    if (tag === undefined) return
    if (this.#user === undefined) this.#user = tag
    else if (this.#user !== tag) this.#users = true
  }

  with(before: Crowd): ReturnType<History['clients']> {
    return {
      requests: this.#requests + before.#requests,
      addresses: few(this.#address, before.#address, this.#addresses || before.#addresses),
      users: few(this.#user, before.#user, this.#users || before.#users),
      untrustedForwarding: this.untrusted || before.untrusted
    }
  }
}

function few(one: string | undefined, other: string | undefined, several: boolean): Few {
  if (several || (one !== undefined && other !== undefined && one !== other)) return 'several'
  return one === undefined && other === undefined ? 'none' : 'one'
}
