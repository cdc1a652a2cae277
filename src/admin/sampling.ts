export interface SamplingOptions {
  /** Lines a second that are always written; of the rest one in `sampleEvery`, and no more than as many again. */
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
  let asked = 0
  let written = 0
  let skipped = 0
  /** By what the last second brought. */
  let every = sampleEvery
  return (): number => {
    const current = Math.floor(now() / 1000)
    if (current !== second) {
      second = current
      every = Math.max(sampleEvery, Math.ceil(asked / linesPerSecond))
      asked = 0
      written = 0
    }
    asked += 1
    if (written >= linesPerSecond && skipped + 1 < every) {
      skipped += 1
      return 0
    }
    written += 1
    const standsFor = skipped + 1
    skipped = 0
    return standsFor
  }
}
