import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { faultsOf, soak } from './soak.js'

/**
 * `npm run bench -- soak`: SOAK_SECONDS (an hour) for each of SOAK_DELIVERY (`queued,pooled,direct`), all at once. With
 * SOAK_OWN_MACHINE=1, where nothing else runs, p99 is judged too.
 */
export async function benchSoak(): Promise<void> {
  const {
    SOAK_SECONDS = '3600',
    SOAK_PER_SECOND = '50',
    SOAK_DELIVERY = 'queued,pooled,direct',
    SOAK_OWN_MACHINE
  } = process.env
  const folder = mkdtempSync(join(tmpdir(), 'soak-'))
  const kinds = SOAK_DELIVERY.split(',') as ('queued' | 'pooled' | 'direct')[]
  const options = { seconds: Number(SOAK_SECONDS), perSecond: Number(SOAK_PER_SECOND), folder }
  try {
    const reports = await Promise.all(kinds.map(delivery => soak({ ...options, delivery })))
    console.log(`\n## ${SOAK_SECONDS} s of ${SOAK_PER_SECOND} requests of all kinds a second\n`)
    console.log('| case | part | living MB | resident MB | descriptors | CPU ms | p50 ms | p99 ms |')
    console.log('| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |')
    for (const { delivery, stretches } of reports) {
      for (const [at, { livingMb, residentMb, descriptors, cpuMs, p50, p99 }] of stretches.entries()) {
        const figures = [livingMb, residentMb, descriptors, cpuMs, p50, p99].map(figure => figure.toFixed(1))
        console.log(`| ${delivery} | ${at + 1} of ${stretches.length} | ${figures.join(' | ')} |`)
      }
    }
    for (const report of reports) {
      const { delivery, requests, answers, books } = report
      console.log(
        `\n${delivery}: ${requests} requests (${Object.entries(answers)
          .map(([status, count]) => `${status}: ${count}`)
          .join(', ')}); received ${books.received} = delivered ${books.delivered} + rejected ${books.rejected}`
      )
      const faults = faultsOf(report, SOAK_OWN_MACHINE === '1')
      for (const fault of faults) console.log(`FAULT ${fault}`)
      if (faults.length > 0) process.exitCode = 1
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
