import type { Rules } from './rules.js'
import type { Entry, Fields } from './schema.js'

/** An entry on its way out: checked, redacted and stamped; allowed fields of other names may stand beside these. */
export type Sendable = Entry & Fields

export interface Fitted {
  /** As it is sent; undefined where it could not be made to fit. */
  json: string | undefined
  trimmed: boolean
}

/** Makes an entry keep the plan's limits, or says which field stands against it. */
export type Fit = (
  entry: Sendable,
  tooDeep: string | undefined,
  fault: (field: string, message: string) => void,
  note: (field: string) => void
) => Fitted

export function createFit({ limits: { maxLogBytes, maxDepth, maxTags } }: Rules): Fit {
  return function fit(entry, tooDeep, fault) {
    const json = JSON.stringify(entry)
    const big = json.length > maxLogBytes || (json.length * 3 > maxLogBytes && Buffer.byteLength(json) > maxLogBytes)
    const many = entry.tags !== undefined && entry.tags.length > maxTags
    if (!big && !many && tooDeep === undefined) return { json, trimmed: false }
    if (tooDeep !== undefined) fault(tooDeep, `must not be nested deeper than ${maxDepth} levels`)
    if (many) fault('tags', `must hold at most ${maxTags} tags`)
    if (big) fault('entry', `must be at most ${maxLogBytes} bytes of JSON, stamps included`)
    return { json: undefined, trimmed: false }
  }
}
