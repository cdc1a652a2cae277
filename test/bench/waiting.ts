import { ENTRY, HEADERS, ours } from './contenders.js'
import { freePort, memoryMb, stop } from './machine.js'

export interface WaitingRow {
  entries: number
  anonymousMb: number
  residentMb: number
  restartSeconds: number
  restartAnonymousMb: number
}

/** The whole program's memory while `entries` wait for an upstream that is down, and its start with that queue. */
export async function measureWaiting(entries = 1_000_000): Promise<WaitingRow> {
  const nowhere = await freePort()
  const contender = ours('queued', { QUEUE_PATH: `/tmp/bench-waiting-${process.pid}`, ADMIN_PORT: '0' })
  const first = await contender.start!(nowhere)
  const body = JSON.stringify(Array.from({ length: 1000 }, () => ENTRY))
  let left = entries / 1000
  const post = async () => {
    while (left-- > 0) {
      const answer = await fetch(`http://127.0.0.1:${first.port}/logtrail/logs/bulk`, {
        method: 'POST',
        headers: HEADERS,
        body
      })
      if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
      await answer.arrayBuffer()
    }
  }
  await Promise.all(Array.from({ length: 4 }, post))
  await new Promise(resolve => setTimeout(resolve, 3000))
  const { anonymous, resident } = memoryMb(first.process.pid!)
  await stop(first)
  const before = performance.now()
  const second = await contender.start!(nowhere)
  const restartSeconds = (performance.now() - before) / 1000
  const restartAnonymousMb = memoryMb(second.process.pid!).anonymous
  await stop(second)
  return { entries, anonymousMb: anonymous, residentMb: resident, restartSeconds, restartAnonymousMb }
}

export function printWaiting({
  entries,
  anonymousMb,
  residentMb,
  restartSeconds,
  restartAnonymousMb
}: WaitingRow): void {
  console.log(`\n## ${entries.toLocaleString('en')} entries wait in the queue on disk\n`)
  console.log(
    `anonymous memory ${Math.round(anonymousMb)} MB, resident ${Math.round(residentMb)} MB; started again after a SIGKILL in ${restartSeconds.toFixed(1)} s, then ${Math.round(restartAnonymousMb)} MB anonymous`
  )
}
