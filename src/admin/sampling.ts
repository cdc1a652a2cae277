export interface SamplingOptions {
  /** Lines a second that are always written; of the rest one in `sampleEvery`. */
  linesPerSecond?: number
  sampleEvery?: number
  now?: () => number
}

/**
 * What of a flood is written: a log must not be the way to fill a disk or a processor.
 * @returns asked for each line: how many lines it stands for, or 0 where it is left out
 */
export function createSampling({ linesPerSecond = 50, sampleEvery = 100, now = Date.now }: SamplingOptions = {}) {
  let second = 0
  let written = 0
  let skipped = 0
  return (): number => {
    const current = Math.floor(now() / 1000)
    if (current !== second) {
      second = current
      written = 0
    }
    if (written >= linesPerSecond && skipped + 1 < sampleEvery) {
      skipped += 1
      return 0
    }
    written += 1
    const standsFor = skipped + 1
    skipped = 0
    return standsFor
  }
}
