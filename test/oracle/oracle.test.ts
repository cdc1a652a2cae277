/**
 * The whole program as a process, over HTTP: faults of every kind, keys that change, SIGKILLs. What was answered 202 is at
 * the stand-in or a dead letter in the end. A minute in the suite; for an hour:
 *
 *   ORACLE_SECONDS=3600 npx tap --timeout=0 --disable-coverage test/oracle/oracle.test.ts
 *
 * ORACLE_SEED repeats the faults of a run; the seed is part of the test's name.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { consult } from '../delivery/oracle/oracle.js'
import { createProgramTarget } from './program-target.js'

const seconds = Number(process.env.ORACLE_SECONDS ?? 30)
const seed = Number(process.env.ORACLE_SEED ?? Date.now() % 1_000_000)

t.setTimeout((seconds + 400) * 1000)

t.test(`nothing answered 202 is lost, over faults and SIGKILLs (ORACLE_SEED=${seed})`, async t => {
  const cwd = await mkdtemp(join(tmpdir(), 'oracle-'))
  t.teardown(() => rm(cwd, { recursive: true, force: true }))
  const target = createProgramTarget(cwd)
  t.teardown(() => target.kill().catch(() => {}))
  const kills = Math.max(4, Math.round(seconds / 8))
  const findings = await consult(target, { seed, seconds, kills })
  const { lost, buriedAlive, impossible, outOfOrder, waiting, difference, books, ...rest } = findings
  t.comment(JSON.stringify({ ...rest, browsers: target.answers, books, runs: target.runs }))
  t.strictSame(lost, [], 'everything answered 202 is stored or listed as a dead letter')
  t.strictSame(buriedAlive, [], 'only refused entries are dead letters')
  t.strictSame(impossible, [])
  t.strictSame(outOfOrder, [], "every user's order held")
  t.equal(waiting, 0, 'the queue is empty')
  t.equal(difference, 0, 'the books of /metrics balance')
  t.strictSame(
    Object.keys(target.answers).filter(status => status !== '202' && status !== 'none'),
    [],
    'no browser saw an error'
  )
  t.ok(rest.acknowledged > 20 * Math.min(seconds, 120), 'and it was worth asking')
})
