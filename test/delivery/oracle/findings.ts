import type { Test } from 'tap'
import type { Findings } from './oracle.js'

export interface Expected {
  /** With fewer acknowledged entries nothing was asked. */
  least: number
  /** What browsers were answered, by status; `none` where no answer came. */
  browsers?: Record<string, number>
  /** Statuses that they may have seen besides 202. */
  errors?: readonly string[]
  /** What else is printed with the findings. */
  comment?: object
}

/** What must hold whatever the faults were, and wherever the oracle asked. */
export function judge(t: Test, findings: Findings, { least, browsers, errors = [], comment }: Expected): void {
  const { lost, buriedAlive, impossible, outOfOrder, waiting, difference, books, ...rest } = findings
  t.comment(JSON.stringify({ ...rest, browsers, books, ...comment }))
  t.strictSame(lost, [], 'every acknowledged entry is stored or a dead letter')
  t.strictSame(buriedAlive, [], 'only refused entries are dead letters')
  t.strictSame(impossible, [], 'no refused entry is stored')
  t.strictSame(outOfOrder, [], "every user's order held")
  t.equal(waiting, 0, 'the queue is empty')
  t.equal(difference, 0, 'the books balance')
  if (browsers) {
    const seen = Object.keys(browsers).filter(status => !['202', 'none', ...errors].includes(status))
    t.strictSame(seen, [], `no browser saw an error other than these: ${errors.join() || 'none'}`)
  }
  t.ok(rest.acknowledged > least, 'and it was worth asking')
}
