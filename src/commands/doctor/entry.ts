import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Explanation, explain, type Outcome } from '../../entry/explain.js'
import type { Rules } from '../../entry/rules.js'

/** What `--entry FILE` shows. `ok`: all of it would be sent or left out on purpose. */
export interface EntryReport extends Explanation {
  ok: boolean
  limit: number
}

/** @throws Error in words, where the file cannot be read */
export async function reportEntry(cwd: string, file: string, rules: Rules): Promise<EntryReport> {
  const path = resolve(cwd, file)
  const text = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw new Error(`${path} cannot be read: ${error.code}`)
  })
  const explanation = explain(text, rules)
  return { ok: explanation.refused === undefined, limit: rules.limits.maxLogBytes, ...explanation }
}

export function describeEntry({ refused, outcomes, limit }: EntryReport): string[] {
  const lines = outcomes.flatMap(outcome => describe(outcome, limit))
  if (refused) lines.push(`The request would be refused: ${refused.code}: ${refused.message}`)
  return lines
}

const DEEDS = [
  ['removed', "removed, since Logtrail's schema has no such field (ALLOW_FIELDS)"],
  ['dropped', 'dropped (DROP_FIELDS)'],
  ['redacted', 'masked (REDACT_FIELDS, REDACT_PATTERNS)'],
  ['trimmed', 'trimmed to fit the plan (OVERSIZE)']
] as const

function describe(outcome: Outcome, limit: number): string[] {
  const { log_index, json, bytes, faults } = outcome
  const name = log_index === null ? 'entry' : `entry ${log_index}`
  const notes = DEEDS.filter(([deed]) => outcome[deed].length > 0).map(
    ([deed, words]) => `  ${outcome[deed].join(', ')}: ${words}`
  )
  if (outcome.outcome === 'sent') return [`${name}: sent, ${bytes} of ${limit} bytes`, ...notes, `  ${json}`]
  if (outcome.outcome === 'filtered') return [`${name}: taken and left out, being below MIN_LEVEL`]
  return [`${name}: refused`, ...faults.map(({ field, message }) => `  ${field}: ${message}`)]
}
