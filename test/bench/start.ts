import { type Contender, HEADERS, SINGLE } from './contenders.js'
import { cpuSeconds, freePort, LOAD_CPU, median, memoryMb, peer, start, stop } from './machine.js'

export interface StartCost {
  name: string
  /** From the start of the process to the first 201. */
  seconds: number
  cpu: number
  residentMb: number
}

/** Cold starts in turn: time and CPU until the first 201, and the memory at rest a second later. Medians of the rounds. */
export async function compareStarts(contenders: Contender[], rounds = 5): Promise<StartCost[]> {
  const upstreamPort = await freePort()
  const upstream = await start(LOAD_CPU, [process.execPath, peer('upstream.mjs')], upstreamPort)
  const costs = new Map<Contender, StartCost[]>(contenders.map(contender => [contender, []]))
  try {
    for (let round = 0; round < rounds; round++) {
      for (const contender of contenders) costs.get(contender)!.push(await startOnce(contender, upstreamPort))
    }
  } finally {
    await stop(upstream)
  }
  return [...costs].map(([{ name }, all]) => ({
    name,
    seconds: median(all.map(one => one.seconds)),
    cpu: median(all.map(one => one.cpu)),
    residentMb: median(all.map(one => one.residentMb))
  }))
}

async function startOnce(contender: Contender, upstreamPort: number): Promise<StartCost> {
  const before = performance.now()
  const running = await contender.start!(upstreamPort)
  const path = '/logtrail/logs'
  const { status } = await fetch(`http://127.0.0.1:${running.port}${path}`, {
    method: 'POST',
    headers: HEADERS,
    body: SINGLE
  })
  if (status !== 201 && status !== 202) throw new Error(`${contender.name} answered ${status}`)
  const seconds = (performance.now() - before) / 1000
  const cpu = cpuSeconds(running.process.pid!)
  await new Promise(resolve => setTimeout(resolve, 1000))
  const residentMb = memoryMb(running.process.pid!).resident
  await stop(running)
  return { name: contender.name, seconds, cpu, residentMb }
}

export function printStarts(rows: StartCost[]): void {
  const base = rows.at(-1)!
  console.log('\n## Cold start to the first 201, and memory at rest\n')
  console.log('| case | s | CPU s | resident MB | time ÷ bare | CPU ÷ bare | memory ÷ bare |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const { name, seconds, cpu, residentMb } of rows) {
    const ratios = [seconds / base.seconds, cpu / base.cpu, residentMb / base.residentMb].map(r => r.toFixed(2))
    console.log(
      `| ${name} | ${seconds.toFixed(2)} | ${cpu.toFixed(2)} | ${Math.round(residentMb)} | ${ratios.join(' | ')} |`
    )
  }
}
