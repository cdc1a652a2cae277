import { type Fault, MAX_FAULTS } from '../errors.js'
import { parseBody } from './body.js'
import { RefusedEntries, refuseBody } from './refusal.js'
import type { Rules, Who } from './rules.js'
import { createWay, type Note } from './way.js'

/** What became of a request's entries. received = filtered + entries.length. */
export interface Reading {
  received: number
  /** Each the JSON of one entry as it is sent, within the plan's limits, in the order received. */
  entries: string[]
  /** Left out by `MIN_LEVEL`. */
  filtered: number
  /** Where entries were left out: for each of `entries` its index in the request. */
  positions: readonly number[] | undefined
  /** Entries cut to the plan's limits, and entries in which something was masked. */
  trimmed: number
  redacted: number
  /** What was done to which field, for the log at debug: names, never values. The first 100. */
  notes: readonly Note[]
}

export interface Reader {
  /**
   * Reads a body that is one entry.
   * @throws RefusedEntries with every fault named (at most 101, one more than an answer shows): VALIDATION_EMPTY_BODY,
   *   VALIDATION_INVALID_JSON, VALIDATION_FAILED, VALIDATION_INVALID_ENVIRONMENT
   */
  single(body: Buffer, who: Who): Reading
  /** Reads a body that is a list of entries, whole or not at all. @throws as `single`, and VALIDATION_BULK_LIMIT_EXCEEDED */
  bulk(body: Buffer, who: Who): Reading
}

export interface ReaderOptions {
  /** Makes the `entry_id` stamp of one entry. Default: crypto.randomUUID. */
  newId?: () => string
}

/** The whole way from a browser's bytes to the entries that go to Logtrail. Synchronous; not to be entered twice at once. */
export function createReader(rules: Rules, options: ReaderOptions = {}): Reader {
  const way = createWay(rules, options.newId)

  /** @param positions undefined where nothing was left out */
  function reading(received: number, entries: string[], positions: number[] | undefined): Reading {
    const { faults, counts, notes } = way
    if (faults.length > 0) throw refuse(faults, way.environmentAlone(), received)
    const { filtered, trimmed, redacted } = counts
    return { received, entries, filtered, positions, trimmed, redacted, notes }
  }

  function readAll(values: readonly unknown[]): Reading {
    const entries: string[] = []
    let positions: number[] | undefined
    for (let index = 0; index < values.length; index++) {
      const entry = way.go(values[index], index)
      if (entry === undefined) positions ??= Array.from(entries, (_, at) => at)
      else {
        entries.push(entry)
        positions?.push(index)
      }
      if (way.faults.length > MAX_FAULTS) break
    }
    return reading(values.length, entries, positions)
  }

  return {
    single(body, who) {
      const { value, escapes } = parseBody(body)
      if (typeof value !== 'object' || value === null || Array.isArray(value)) {
        throw refuseBody(0, 'must be one entry, a JSON object; lists go to the bulk route')
      }
      way.begin(who, escapes)
      const entry = way.go(value, null)
      return entry === undefined ? reading(1, [], []) : reading(1, [entry], undefined)
    },
    bulk(body, who) {
      const { value, escapes } = parseBody(body)
      if (!Array.isArray(value))
        throw refuseBody(0, 'must be a list of entries, a JSON array; one entry alone goes to the other route')
      if (value.length === 0) throw refuseBody(0, 'must hold at least one entry')
      if (value.length > rules.maxEntries) {
        throw new RefusedEntries('VALIDATION_BULK_LIMIT_EXCEEDED', value.length, {
          message: `The request holds too many entries: at most ${rules.maxEntries} are taken at once.`
        })
      }
      way.begin(who, escapes)
      return readAll(value)
    }
  }
}

function refuse(faults: readonly Fault[], environmentAlone: boolean, received: number): RefusedEntries {
  const code = environmentAlone ? 'VALIDATION_INVALID_ENVIRONMENT' : 'VALIDATION_FAILED'
  return new RefusedEntries(code, received, { faults })
}
