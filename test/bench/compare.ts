import { type Contender, HEADERS } from './contenders.js'
import { type LoadResult, load } from './load.js'
import { cpuSeconds, freePort, LOAD_CPU, median, peakMb, peer, type Running, start, stop } from './machine.js'

export interface Scenario {
  contenders: Contender[]
  /** Ratios are against these, by their order in the table. */
  against: Contender[]
  path: '/logtrail/logs' | '/logtrail/logs/bulk'
  body: string
  connections?: number
  seconds?: number
  rounds?: number
  /** ms that the upstream takes to answer. */
  upstreamDelay?: number
}

export interface Row {
  name: string
  perSecond: number
  p50: number
  p99: number
  cpuPerThousand: number
  peakMb: number
  failed: number
  /** CPU for a request, against each of `against`, as the median of the rounds' own ratios. */
  ratios: number[]
}

/** Runs the contenders in turn, several rounds, each against the same upstream; medians of the rounds. */
export async function compare(scenario: Scenario): Promise<Row[]> {
  const { contenders, against, path, body, connections = 64, seconds = 5, rounds = 3, upstreamDelay = 0 } = scenario
  const upstreamPort = await freePort()
  const upstream = await start(LOAD_CPU, [process.execPath, peer('upstream.mjs')], upstreamPort, {
    DELAY: String(upstreamDelay)
  })
  const running = new Map<Contender, Running>()
  const results = new Map<Contender, (LoadResult & { cpu: number })[]>()
  try {
    for (const contender of contenders) {
      if (!contender.start) continue
      running.set(contender, await contender.start(upstreamPort))
      results.set(contender, [])
    }
    for (let round = 0; round <= rounds; round++) {
      for (const [contender, { port, process }] of running) {
        const before = cpuSeconds(process.pid!)
        const result = await load({
          port,
          path,
          body,
          headers: contender.headers ?? HEADERS,
          connections,
          seconds: round === 0 ? 2 : seconds
        })
        const cpu = ((cpuSeconds(process.pid!) - before) / result.requests) * 1000
        if (round > 0) results.get(contender)!.push({ ...result, cpu }) // round 0 warms up
      }
    }
    return contenders.flatMap(contender => {
      const all = results.get(contender)
      if (!all) return []
      return {
        name: contender.name,
        perSecond: median(all.map(one => one.perSecond)),
        p50: median(all.map(one => one.p50)),
        p99: median(all.map(one => one.p99)),
        cpuPerThousand: median(all.map(one => one.cpu)),
        peakMb: peakMb(running.get(contender)!.process.pid!),
        failed: all.reduce((sum, one) => sum + one.failed, 0),
        ratios: against.map(peer => {
          const other = results.get(peer)
          return other ? median(all.map((one, round) => one.cpu / other[round]!.cpu)) : Number.NaN
        })
      }
    })
  } finally {
    await Promise.all([...running.values(), upstream].map(stop))
  }
}

export function printRows(title: string, rows: Row[], against: Contender[], contenders: Contender[]): void {
  console.log(`\n## ${title}\n`)
  console.log(
    `| case | requests/s | p50 ms | p99 ms | CPU s per 1,000 | ${against.map(peer => `CPU ÷ ${peer.name}`).join(' | ')} | peak MB |`
  )
  console.log(`| --- |${' ---: |'.repeat(5 + against.length)}`)
  for (const row of rows) {
    const ratios = row.ratios.map(ratio => (Number.isNaN(ratio) ? '–' : ratio.toFixed(2))).join(' | ')
    const failed = row.failed > 0 ? ` (${row.failed} failed!)` : ''
    console.log(
      `| ${row.name}${failed} | ${Math.round(row.perSecond)} | ${row.p50.toFixed(1)} | ${row.p99.toFixed(1)} | ${row.cpuPerThousand.toFixed(3)} | ${ratios} | ${Math.round(row.peakMb)} |`
    )
  }
  for (const { name, start } of contenders) if (!start) console.log(`\nleft out, not on this machine: ${name}`)
}
