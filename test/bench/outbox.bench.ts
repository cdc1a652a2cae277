/**
 * The outbox on disk: what an append costs by the number that share a sync, how fast entries are claimed and acknowledged,
 * and the memory and start of a queue in which a million wait. In CPU time of a process of its own, LevelDB's threads
 * included; bodies of about 450 bytes that differ. `node --import tsx test/bench/outbox.bench.ts [entries [users]]` prints
 * the table; `bench.ts` takes the rows.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { createDiskOutbox, type DiskOutbox } from '../../src/outbox/disk.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'

export interface OutboxCost {
  name: string
  /** Of the step; absent for a step that has none of its own. */
  entriesPerSecond?: number
  /** Microseconds of CPU an entry. */
  cpu?: number
  /** MB of anonymous memory of the whole process, after it. */
  anonymous?: number
  seconds?: number
}

/** Anonymous memory of this process in MB: what no file stands behind, LevelDB's mapped tables left out. */
function anonymous(): number {
  const rollup = readFileSync('/proc/self/smaps_rollup', 'utf8')
  return Number(/^Anonymous:\s+(\d+) kB/m.exec(rollup)?.[1]) / 1024
}

async function measure(name: string, entries: number, run: () => Promise<unknown>): Promise<OutboxCost> {
  const [cpu, time] = [process.cpuUsage(), performance.now()]
  await run()
  const { user, system } = process.cpuUsage(cpu)
  const seconds = (performance.now() - time) / 1000
  return {
    name,
    entriesPerSecond: Math.round(entries / seconds),
    cpu: (user + system) / entries,
    anonymous: anonymous(),
    seconds
  }
}

/** Made beforehand, so that making them is not measured; neighbours differ, or LevelDB would compress them away. */
const BODIES = Array.from({ length: 1000 }, (_, n) => {
  const text = () => Math.random().toString(36).slice(2)
  const metadata = Object.fromEntries(Array.from({ length: 10 }, (_, i) => [`field${i}`, text() + text()]))
  return JSON.stringify({ action: 'checkout.paid', level: 'info', message: 'Order paid by card', n, metadata })
})

async function append(outbox: Outbox, count: number, together: number, users: number): Promise<void> {
  for (let n = 0; n < count; ) {
    const group = []
    for (let i = 0; i < together && n < count; i++, n++) {
      group.push(outbox.append([{ user: `u:user-${(n * 7919) % users}`, body: BODIES[n % BODIES.length] as string }]))
    }
    await Promise.all(group)
  }
}

async function drain(outbox: Outbox, batch: number): Promise<void> {
  for (;;) {
    const claimed = await outbox.claim({ entries: batch, bytes: 4 * 1024 * 1024 })
    if (claimed.length === 0) return
    await outbox.acknowledge(claimed.map(({ id }) => id))
  }
}

async function opened(path: string): Promise<DiskOutbox> {
  const outbox = createDiskOutbox({ path, maxBytes: 1e12, control: false })
  await outbox.start()
  return outbox
}

/** The steps, each in a process of its own; what one leaves at the path, the next one finds. */
const steps: Record<string, (path: string, entries: number, users: number) => Promise<OutboxCost[]>> = {
  async alone(path, _, users) {
    const outbox = await opened(path)
    const rows: OutboxCost[] = []
    for (const together of [1, 64]) {
      const count = together === 1 ? 2000 : 40_000
      await append(outbox, count, together, users)
      rows.push(await measure(`append, ${together} at once`, count, () => append(outbox, count, together, users)))
      await drain(outbox, 1000)
    }
    await outbox.stop()
    return rows
  },
  async memory(_, __, users) {
    const outbox = createMemoryOutbox({ maxEntries: 1000 })
    const turn = async (times: number) => {
      for (let n = 0; n < times; n++) {
        await append(outbox, 64, 64, users)
        await drain(outbox, 1000)
      }
    }
    await turn(200)
    return [await measure('pooled: append, claim, acknowledge', 64_000, () => turn(1000))]
  },
  async fill(path, entries, users) {
    const outbox = await opened(path)
    const row = await measure('fill the queue, 64 at once', entries, () => append(outbox, entries, 64, users))
    await outbox.stop()
    return [row]
  },
  async start(path, entries) {
    const before = anonymous()
    let outbox: DiskOutbox | undefined
    const row = await measure('start with a full queue', entries, async () => {
      outbox = await opened(path)
    })
    await outbox?.stop()
    return [{ name: 'Node.js alone', anonymous: before }, row]
  },
  async drain(path, entries) {
    const outbox = await opened(path)
    const row = await measure('claim and acknowledge, by 1,000', entries, () => drain(outbox, 1000))
    await outbox.stop()
    return [row]
  }
}

export function measureOutbox(entries = 1_000_000, users = 10_000): OutboxCost[] {
  const path = mkdtempSync(join(tmpdir(), 'outbox-bench-'))
  try {
    const rows = Object.keys(steps).flatMap(step => {
      const args = ['--import', 'tsx', fileURLToPath(import.meta.url), '--step', step, path, `${entries}`, `${users}`]
      const took = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as OutboxCost[]
      if (step !== 'fill') return took
      const store = join(path, 'store')
      const bytes = readdirSync(store).reduce((sum, file) => sum + statSync(join(store, file)).size, 0)
      return took.map(row => ({ ...row, name: `${row.name} (${Math.round(bytes / 1e6)} MB on disk)` }))
    })
    return rows
  } finally {
    rmSync(path, { recursive: true, force: true })
  }
}

export function printOutbox(rows: OutboxCost[]): void {
  console.table(
    rows.map(({ name, entriesPerSecond, cpu, anonymous, seconds }) => ({
      step: name,
      'entries/s': entriesPerSecond ?? '',
      'CPU µs an entry': cpu?.toFixed(2) ?? '',
      seconds: seconds?.toFixed(2) ?? '',
      'anonymous MB': anonymous?.toFixed(0) ?? ''
    }))
  )
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [first, step, path, entries, users] = process.argv.slice(2)
  if (first === '--step') {
    const run = steps[step as string] as (typeof steps)[string]
    console.log(JSON.stringify(await run(path as string, Number(entries), Number(users))))
  } else {
    printOutbox(measureOutbox(...([first, step].filter(Boolean).map(Number) as [number?, number?])))
  }
}
