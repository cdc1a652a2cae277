/** Six to an octave, from 50 µs to over a minute: a quantile is right to 6 %. */
const PER_OCTAVE = 6
const LEAST_MS = 0.05
const BUCKETS = 124
/** Seconds that are kept one by one. */
const SECONDS = 60

export interface Quantiles {
  p50: number
  p95: number
  p99: number
}

/** Durations of the last minute in fixed buckets: an observation is one logarithm and one addition. */
export class LatencyWindow {
  readonly #ring = new Uint32Array(SECONDS * BUCKETS)
  #second = 0

  observe(milliseconds: number): void {
    const bucket = Math.floor(Math.log2(milliseconds / LEAST_MS) * PER_OCTAVE)
    // a duration of 0 is -Infinity here
    this.#ring[this.#second * BUCKETS + Math.min(BUCKETS - 1, Math.max(0, bucket))]!++
  }

  /** A second is over: the one of a minute ago is forgotten. */
  turn(): void {
    this.#second = (this.#second + 1) % SECONDS
    const from = this.#second * BUCKETS
    this.#ring.fill(0, from, from + BUCKETS)
  }

  /** Over the last `seconds`, up to 60, the present one included; undefined where nothing was observed. */
  quantiles(seconds: number): Quantiles | undefined {
    const sums = new Uint32Array(BUCKETS)
    let total = 0
    for (let back = 0; back < seconds; back++) {
      const from = ((this.#second - back + SECONDS) % SECONDS) * BUCKETS
      for (let i = 0; i < BUCKETS; i++) {
        const count = this.#ring[from + i]!
        sums[i]! += count
        total += count
      }
    }
    if (total === 0) return undefined
    const at = (share: number): number => {
      let left = Math.ceil(total * share)
      let i = 0
      while (i < BUCKETS - 1 && left > sums[i]!) left -= sums[i++]!
      return Number((LEAST_MS * 2 ** ((i + 0.5) / PER_OCTAVE)).toPrecision(3))
    }
    return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }
}
