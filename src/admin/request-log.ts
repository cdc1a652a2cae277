import type { Logger } from 'pino'

/** One line for a request: never the user's id, the body, a header or the address of the page. */
export interface RequestLine {
  request_id: string
  route: string
  method: string
  status: number
  error_code?: string
  entries?: number
  /** The keyed digest that `X-Session-Tag` carries, to follow one user without knowing who it is. */
  user?: string
  /** From the first byte read to the last written. */
  duration_ms: number
}

export interface RequestLogOptions {
  /** Lines a second that are always written; of the rest one in `sampleEvery`, with the number it stands for. */
  linesPerSecond?: number
  sampleEvery?: number
  now?: () => number
}

/** Writes request lines at info, sampled when floods come: a log must not be the way to fill a disk or a processor. */
export function createRequestLog(log: Logger, options: RequestLogOptions = {}): (line: RequestLine) => void {
  const { linesPerSecond = 50, sampleEvery = 100, now = Date.now } = options
  if (!log.isLevelEnabled('info')) return () => {}
  let second = 0
  let written = 0
  let skipped = 0
  return line => {
    const current = Math.floor(now() / 1000)
    if (current !== second) {
      second = current
      written = 0
    }
    if (written >= linesPerSecond && skipped + 1 < sampleEvery) {
      skipped += 1
      return
    }
    written += 1
    log.info(skipped > 0 ? { ...line, sampled: skipped + 1 } : line, 'request')
    skipped = 0
  }
}
