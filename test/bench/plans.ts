import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { LIMITS, type Plan } from '../helper/logtrail/logtrail.js'
import { ENTRY, HEADERS, KEY, ours } from './contenders.js'
import { freePort, LOAD_CPU } from './machine.js'

export interface PlanRow {
  plan: Plan
  /** Entries that arrived in the minute, and requests that they took. */
  entries: number
  requests: number
  refused: number
  /** The most that the plan's requests can carry, and what one-to-one forwarding carries. */
  most: number
  oneToOne: number
}

/** The month's quota would end a free plan's minute before it began. */
const QUOTA = JSON.stringify({ logsPerMonth: 1e12 })
const STANDIN = fileURLToPath(new URL('../helper/logtrail/standin.ts', import.meta.url))

/** Entries delivered in a minute under a plan whose rate limit is enforced, from a queue that never runs dry. */
export async function measurePlan(plan: Plan): Promise<PlanRow> {
  const { requestsPerMinute, maxBatch } = LIMITS[plan]
  const port = await freePort()
  const args = ['-c', String(LOAD_CPU), process.execPath, '--import', 'tsx', STANDIN]
  const standin = spawn(
    'taskset',
    [...args, '--port', String(port), '--key', KEY, '--plan', plan, '--keep', 'count', '--limits', QUOTA],
    {
      stdio: ['ignore', 'pipe', 'inherit']
    }
  )
  await once(standin.stdout!, 'data')
  const env = {
    LOGTRAIL_PLAN: plan,
    LOGTRAIL_REQUESTS_PER_MINUTE: String(requestsPerMinute),
    BODY_LIMIT: '4mb'
  }
  const { process: proxy, port: proxyPort } = await ours('queued', env).start!(port)
  const stats = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/_standin/stats`)
    return (await answer.json()) as { requests: number; entries: number; answers: Record<string, number> }
  }
  try {
    const small = { ...ENTRY, target: undefined, context: undefined, metadata: { cart: 7 } }
    const body = JSON.stringify(Array.from({ length: maxBatch }, () => small))
    const wanted = requestsPerMinute * 2 + 50
    let next = 0
    const post = async () => {
      while (next++ < wanted) {
        const url = `http://127.0.0.1:${proxyPort}/logtrail/logs/bulk`
        const answer = await fetch(url, { method: 'POST', headers: HEADERS, body })
        if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
        await answer.arrayBuffer()
      }
    }
    const posting = Promise.all(Array.from({ length: 4 }, post))
    // the bucket's first fill is spent before the minute that counts
    await new Promise(resolve => setTimeout(resolve, 75_000))
    const before = await stats()
    await new Promise(resolve => setTimeout(resolve, 60_000))
    const after = await stats()
    await posting
    return {
      plan,
      entries: after.entries - before.entries,
      requests: after.requests - before.requests,
      refused: after.answers['429'] ?? 0,
      most: requestsPerMinute * maxBatch,
      oneToOne: requestsPerMinute
    }
  } finally {
    proxy.kill('SIGKILL')
    standin.kill('SIGKILL')
  }
}

export function printPlans(rows: PlanRow[]): void {
  console.log("\n## Entries delivered a minute, Logtrail's limits enforced\n")
  console.log('| plan | queued | requests | 429 | of requests × batch | one to one | times as many |')
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
  for (const { plan, entries, requests, refused, most, oneToOne } of rows) {
    const share = (entries / most).toFixed(3)
    console.log(
      `| ${plan} | ${entries} | ${requests} | ${refused} | ${share} | ${oneToOne} | ${Math.round(entries / oneToOne)} |`
    )
  }
}
