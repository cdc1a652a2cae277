import { benchSoak } from '../soak/soak.bench.js'
import { compare, printRows, type Scenario } from './compare.js'
import { BULK, bare, express, floor, haproxy, nginx, ours, SINGLE, stack } from './contenders.js'
import { measureContent, printContent } from './content.js'
import { benchEntries } from './entry.bench.js'
import { measurePlan, type PlanRow, printPlans } from './plans.js'
import { benchSessions } from './sessions.js'
import { compareStarts, printStarts } from './start.js'
import { measureWaiting, printWaiting } from './waiting.js'

/**
 * `npm run bench [-- NAME …]`: all but the soak, which takes an hour, or these. Each figure is against its peers in the same
 * run. The program under test has one processor alone, load and upstream the other. Needs Linux (taskset, /proc); wrk, nginx
 * and HAProxy are used where installed.
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

/** What is measured otherwise than by a comparison under load. */
const others: Record<string, () => Promise<void>> = {
  sessions: () => benchSessions({ rounds, seconds }),
  async start() {
    printStarts(await compareStarts([ours('direct'), ours('pooled'), ours('queued'), bare]))
    printContent(measureContent())
  },
  waiting: async () => printWaiting(await measureWaiting()),
  async plans() {
    const rows: PlanRow[] = []
    for (const plan of ['free', 'developer', 'professional'] as const) rows.push(await measurePlan(plan))
    printPlans(rows)
  },
  async entry() {
    console.log("\n## An entry's way, against a bare parse, schema check and serialise\n")
    console.log('| case | bare µs | the whole way µs | ratio |\n| --- | ---: | ---: | ---: |')
    for (const { name, bare, way, ratio } of benchEntries()) {
      console.log(`| ${name} | ${bare.toFixed(2)} | ${way.toFixed(2)} | ${ratio.toFixed(2)} |`)
    }
  }
}

/** Only where they are asked for. */
const long: Record<string, () => Promise<void>> = { soak: benchSoak }

const asked = process.argv.slice(2)
const usual = [...Object.keys(scenarios), ...Object.keys(others)]
const known = [...usual, ...Object.keys(long)]
const unknown = asked.filter(name => !known.includes(name))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${known.join(', ')}`)
  process.exit(64)
}
for (const name of asked.length > 0 ? asked : usual) {
  const scenario = scenarios[name]
  if (scenario) {
    const { title, ...what } = scenario
    printRows(title, await compare({ rounds, seconds, ...what }), what.against, what.contenders)
  } else await (others[name] ?? long[name])!()
}
