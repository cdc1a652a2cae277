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
import { judge } from '../delivery/oracle/findings.js'
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
  const { answers: browsers, runs } = target
  judge(t, findings, { least: 20 * Math.min(seconds, 120), browsers, comment: { runs } })
})
