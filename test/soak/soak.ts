import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { books, sampleOf, scrape } from '../admin/scrape.js'
import { cpuSeconds } from '../bench/machine.js'
import { freePort } from '../helper/free-port.js'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { SECRET } from '../helper/proxy.js'
import { startTraffic, type Traffic } from './traffic.js'

export interface SoakOptions {
  delivery: 'direct' | 'pooled' | 'queued'
  seconds: number
  perSecond: number
  folder: string
}

/** A part of the run: its samples come once a second. */
export interface Stretch {
  /** MB: what is in use of the heap at its end, after a collection. */
  livingMb: number
  residentMb: number
  descriptors: number
  /** Of processor time, for each request. */
  cpuMs: number
  p50: number
  p99: number
}

export interface SoakReport {
  delivery: string
  requests: number
  answers: Record<string, number>
  /** After a first part in which caches fill and code is compiled: the rest in four. */
  stretches: Stretch[]
  books: Awaited<ReturnType<typeof books>>
  /** Once traffic is over and idle connections are closed. */
  descriptorsAfter: number
  descriptorsBefore: number
  exit: number | null
}

/** Seconds of it at most, and this part of a short run. */
const WARM_UP = 120
const WARM_UP_SHARE = 0.25
/** What lives can be told from garbage only after a collection: it comes when this process asks for it. */
const COLLECTING = ['--expose-gc', '--import', 'data:text/javascript,process.on("SIGWINCH",()=>gc())']
const STRETCHES = 4
/** To Logtrail, kept open a little longer than they are used; and ours to the admin listener. */
const IDLE_CONNECTIONS = 8
const DIST = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** The built program under steady traffic of all kinds, before a Logtrail that fails now and then. */
export async function soak({ delivery, seconds, perSecond, folder }: SoakOptions): Promise<SoakReport> {
  const logtrail = await startLogtrail({
    keep: 'count',
    enforceRate: false,
    faultMix: { seed: 1, share: 0.01, of: [{ kind: 'status', status: 503 }, { kind: 'reset-after' }] }
  })
  const [port, adminPort] = [await freePort(), await freePort()]
  const child = spawn(process.execPath, [...COLLECTING, DIST], {
    cwd: folder,
    env: {
      PATH: process.env.PATH,
      PORT: String(port),
      ADMIN_PORT: String(adminPort),
      LOG_LEVEL: 'error',
      LOGTRAIL_API_KEY: logtrail.key,
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_PLAN: 'professional',
      LOGTRAIL_REQUESTS_PER_MINUTE: '100000',
      SESSION_MODE: 'jwt',
      SESSION_JWT_SECRET: SECRET,
      TRUST_PROXY: 'loopback',
      DELIVERY: delivery,
      QUEUE_PATH: `${folder}/queue`,
      RATE_LIMIT_IP_MAX: '0',
      RATE_LIMIT_MAX: '1000000',
      RATE_LIMIT_LOGS_MAX: '1000000'
    },
    stdio: ['ignore', 'ignore', 'inherit']
  })
  const ended = once(child, 'close')
  const program = {
    async get(path: string) {
      const response = await fetch(`http://127.0.0.1:${adminPort}${path}`)
      return { status: response.status, text: await response.text() } as never
    }
  }
  let traffic: Traffic | undefined
  try {
    while (!(await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => undefined))?.ok) await pause(50)
    const descriptorsBefore = descriptors(child.pid!)
    traffic = startTraffic(`http://127.0.0.1:${port}`, perSecond)
    const { takeLatencies } = traffic
    const stretch = async (ms: number): Promise<Stretch> => {
      const cpu = cpuSeconds(child.pid!)
      const resident: number[] = []
      const open: number[] = []
      for (const began = performance.now(); performance.now() - began < ms; ) {
        await pause(1000)
        resident.push(residentMb(child.pid!))
        open.push(descriptors(child.pid!))
      }
      const cpuMs = (cpuSeconds(child.pid!) - cpu) * 1000
      const latencies = takeLatencies().sort((a, b) => a - b)
      const quantile = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
      child.kill('SIGWINCH')
      await pause(500)
      return {
        livingMb: sampleOf(await scrape(program), 'nodejs_heap_size_used_bytes') / 1e6,
        residentMb: Math.max(...resident),
        descriptors: Math.max(...open),
        cpuMs: cpuMs / latencies.length,
        p50: quantile(0.5),
        p99: quantile(0.99)
      }
    }
    const warmUp = Math.min(WARM_UP, seconds * WARM_UP_SHARE)
    await stretch(warmUp * 1000)
    const stretches: Stretch[] = []
    for (let i = 0; i < STRETCHES; i++) stretches.push(await stretch(((seconds - warmUp) * 1000) / STRETCHES))
    await traffic.stop()
    await settled(() => descriptors(child.pid!) <= descriptorsBefore + IDLE_CONNECTIONS)
    await settled(async () => (await books(program)).waiting === 0)
    const last = await books(program)
    const descriptorsAfter = descriptors(child.pid!)
    child.kill('SIGTERM')
    const [exit] = await ended
    return {
      delivery,
      requests: Object.values(traffic.answers).reduce((sum, count) => sum + count, 0),
      answers: traffic.answers,
      stretches,
      books: last,
      descriptorsBefore,
      descriptorsAfter,
      exit
    }
  } finally {
    child.kill('SIGKILL')
    await ended
    await traffic?.stop()
    await logtrail.close()
  }
}

/**
 * What is not as it should be after so long; none where all is well. How long answers take says nothing on a machine that
 * others use, too: there the processor time of a request stands for it, which grows with whatever piles up.
 */
export function faultsOf(report: SoakReport, ownMachine = false): string[] {
  const { stretches, books, descriptorsBefore, descriptorsAfter, answers, exit } = report
  const [first, last] = [stretches[0]!, stretches.at(-1)!]
  const grows = (name: keyof Stretch, factor: number, more: number): string[] =>
    last[name] > first[name] * factor + more
      ? [`${name} grew from ${first[name].toFixed(1)} to ${last[name].toFixed(1)}`]
      : []
  return [
    // in an hour at 50 requests a second, that is 20 bytes kept of each
    ...grows('livingMb', 1, 4),
    // what V8 keeps of the machine's memory goes up and down by its own lights
    ...grows('residentMb', 1.25, 10),
    ...grows('cpuMs', 1.5, 0.5),
    ...(ownMachine ? grows('p99', 1.5, 5) : []),
    ...(descriptorsAfter > descriptorsBefore + IDLE_CONNECTIONS
      ? [`${descriptorsBefore} descriptors before, ${descriptorsAfter} after`]
      : []),
    ...(books.came !== books.went ? [`the books do not balance: ${JSON.stringify(books)}`] : []),
    ...(books.waiting > 0 ? [`${books.waiting} entries still wait`] : []),
    ...(answers[500] ? [`${answers[500]} times INTERNAL_ERROR`] : []),
    ...(exit !== 0 ? [`it ended with ${exit}`] : [])
  ]
}

/** Waits until it holds, but not for ever: what does not hold then is a fault, and is told as one. */
async function settled(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let tries = 0; tries < 300 && !(await holds()); tries++) await pause(100)
}

function residentMb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))![1]) / 1000
}

function descriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length
}
