import { compare, printRows, type Scenario } from './compare.js'
import { BULK, bare, express, floor, haproxy, nginx, ours, SINGLE, stack } from './contenders.js'

/**
 * `npm run bench [-- NAME …]`: each figure against its peers in the same run. The program under test has one processor
 * alone, load and upstream the other. Needs Linux (taskset, /proc); wrk, nginx and HAProxy are used where installed.
 */
const rounds = Number(process.env.BENCH_ROUNDS ?? 3)
const seconds = Number(process.env.BENCH_SECONDS ?? 5)

const scenarios: Record<string, { title: string } & Scenario> = {
  direct: {
    title: 'Direct: one entry of about 450 bytes, an upstream that answers at once',
    contenders: [ours('direct'), bare, stack, express, floor, nginx, haproxy],
    against: [bare, stack, express],
    path: '/logtrail/logs',
    body: SINGLE
  },
  'direct-bulk': {
    title: 'Direct: a bulk of 50 such entries',
    contenders: [ours('direct'), bare, stack, express, floor, nginx, haproxy],
    against: [bare, stack, express],
    path: '/logtrail/logs/bulk',
    body: BULK
  },
  pooled: {
    title: 'Pooled: one entry, an upstream that answers at once',
    contenders: [ours('pooled'), bare, floor, nginx],
    against: [bare, floor],
    path: '/logtrail/logs',
    body: SINGLE
  },
  queued: {
    title: 'Queued on disk, synced: one entry, an upstream that answers at once',
    contenders: [ours('queued'), bare, floor, nginx],
    against: [bare, floor],
    path: '/logtrail/logs',
    body: SINGLE
  },
  distance: {
    title: 'An upstream 50 ms away',
    contenders: [ours('queued'), ours('pooled'), bare, floor, nginx],
    against: [bare, floor],
    path: '/logtrail/logs',
    body: SINGLE,
    upstreamDelay: 50
  }
}

const asked = process.argv.slice(2)
const unknown = asked.filter(name => !(name in scenarios))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(scenarios).join(', ')}`)
  process.exit(64)
}
for (const [name, { title, ...scenario }] of Object.entries(scenarios)) {
  if (asked.length > 0 && !asked.includes(name)) continue
  printRows(title, await compare({ rounds, seconds, ...scenario }), scenario.against, scenario.contenders)
}
