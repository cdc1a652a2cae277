import type { Rules } from './rules.js'
import type { Entry, Fields } from './schema.js'
import { createTrim } from './trim.js'

/** An entry on its way out: checked, redacted and stamped; allowed fields of other names may stand beside these. */
export type Sendable = Entry & Fields

export interface Fitted {
  /** As it is sent; undefined where it could not be made to fit, and `fault` has been told. */
  json: string | undefined
  trimmed: boolean
}

export interface FitOptions {
  limits: Pick<Rules['limits'], 'maxLogBytes' | 'maxDepth' | 'maxTags'>
  oversize: Rules['oversize']
  /** Names directly in `context` that the proxy has stamped. */
  stamped: readonly string[]
  mask(text: string): string
  /** A name as it may be said in a note. */
  speak(name: string): string
  fault(field: string, message: string): void
  note(field: () => string): void
}

/**
 * Serialises an entry within the plan's limits, or says by name what stands against it. What is returned always keeps them;
 * an entry that keeps them already is not touched.
 * @param tooDeep the first field that is deeper than the plan allows, or was before it was cut off
 * @param beyond bytes that were cut off for their depth already
 */
export type Fit = (entry: Sendable, tooDeep: string | undefined, beyond: number) => Fitted

export function createFit(options: FitOptions): Fit {
  const { maxLogBytes, maxDepth, maxTags } = options.limits
  const { oversize, fault } = options
  const trim = createTrim(options)

  function refuse(tooDeep: string | undefined, many: boolean, big: boolean): Fitted {
    if (tooDeep !== undefined) fault(tooDeep, `must not be nested deeper than ${maxDepth} levels`)
    if (many) fault('tags', `must hold at most ${maxTags} tags`)
    if (big) fault('entry', `must be at most ${maxLogBytes} bytes of JSON, with what the server adds`)
    return { json: undefined, trimmed: false }
  }

  return function fit(entry, tooDeep, beyond) {
    const json = JSON.stringify(entry)
    // A UTF-16 unit takes one to three bytes.
    const bytes = json.length * 3 > maxLogBytes ? Buffer.byteLength(json) : 0
    const many = entry.tags !== undefined && entry.tags.length > maxTags
    if (bytes <= maxLogBytes && !many && tooDeep === undefined) return { json, trimmed: false }
    if (oversize === 'reject') return refuse(tooDeep, many, bytes > maxLogBytes)
    return { json: trim(entry, (bytes || Buffer.byteLength(json)) + beyond, tooDeep !== undefined), trimmed: true }
  }
}
