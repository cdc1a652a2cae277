import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createDiskTarget } from './oracle/disk-target.js'
import { judge } from './oracle/findings.js'
import { consult } from './oracle/oracle.js'

// ORACLE_SECONDS=3600 ORACLE_SEED=7 npx tap --timeout=0 --disable-coverage test/delivery/oracle.test.ts
const seconds = Number(process.env.ORACLE_SECONDS ?? 25)
const seed = Number(process.env.ORACLE_SEED ?? Date.now() % 1_000_000)

t.setTimeout((seconds + 400) * 1000)

t.test(`nothing acknowledged is lost, over faults and SIGKILLs (ORACLE_SEED=${seed})`, async t => {
  const path = await mkdtemp(join(tmpdir(), 'oracle-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  const findings = await consult(createDiskTarget(path), { seed, seconds, kills: Math.max(4, Math.round(seconds / 5)) })
  judge(t, findings, { least: 50 * Math.min(seconds, 120) })
})
