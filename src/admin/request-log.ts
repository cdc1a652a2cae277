import type { Logger } from 'pino'
import { createSampling, type SamplingOptions } from './sampling.js'

/** One line for a request: never the user's id, the body, a header or the address of the page. */
export interface RequestLine {
  /** None where nothing was answered. */
  request_id?: string
  route: string
  /** Of what became no request, nothing is known but that it was refused. */
  method?: string
  status: number
  error_code?: string
  entries?: number
  /** The keyed digest that `X-Session-Tag` carries, to follow one user without knowing who it is. */
  user?: string
  /** From the first byte read to the last written. */
  duration_ms?: number
}

/** Writes request lines at info, sampled when floods come. @returns told of every request; makes a line only where it is written */
export function createRequestLog(log: Logger, options: SamplingOptions = {}): (line: () => RequestLine) => void {
  if (!log.isLevelEnabled('info')) return () => {}
  const sample = createSampling(options)
  return line => {
    const sampled = sample()
    if (sampled > 0) log.info(sampled > 1 ? { ...line(), sampled } : line(), 'request')
  }
}
