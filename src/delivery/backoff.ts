/** Below this a retry would only meet the same fault. */
const LEAST = 100

/**
 * Exponential backoff with full jitter (AWS Architecture Blog, "Exponential Backoff And Jitter"): anything up to
 * `base` × 2^`failures`, so that many who failed together do not return together.
 * @param failures how many came before this one
 * @returns milliseconds, at least 100
 */
export function backoff(failures: number, base: number, most: number, random: () => number): number {
  const ceiling = Math.min(most, base * 2 ** Math.min(failures, 30))
  return Math.max(LEAST, random() * ceiling)
}
