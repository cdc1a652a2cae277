import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { LIMITS, type Plan } from '../helper/logtrail/logtrail.js'
import { ENTRY, HEADERS, KEY, ours } from './contenders.js'
import { freePort, LOAD_CPU, stop } from './machine.js'

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

/**
 * Entries delivered in a minute under a plan whose rate limit is enforced. The queue is filled before there is anybody to
 * send to, so that the minute measures the sending alone; and Logtrail's bucket, full at first, is emptied by others.
 */
export async function measurePlan(plan: Plan): Promise<PlanRow> {
  const { requestsPerMinute, maxBatch } = LIMITS[plan]
  const port = await freePort()
  const env = {
    LOGTRAIL_PLAN: plan,
    LOGTRAIL_REQUESTS_PER_MINUTE: String(requestsPerMinute),
    BODY_LIMIT: '4mb'
  }
  const proxy = await ours('queued', env).start!(port)
  let standin: ChildProcess | undefined
  const stats = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/_standin/stats`)
    return (await answer.json()) as { requests: number; entries: number; answers: Record<string, number> }
  }
  const post = async (url: string, body: string, headers: Record<string, string>, expected: number) => {
    const answer = await fetch(url, { method: 'POST', headers, body })
    if (answer.status !== expected) throw new Error(`answered ${answer.status}: ${await answer.text()}`)
    await answer.arrayBuffer()
  }
  try {
    const small = { ...ENTRY, target: undefined, context: undefined, metadata: { cart: 7 } }
    const bulk = JSON.stringify(Array.from({ length: maxBatch }, () => small))
    // what may go before the minute begins, the minute, and a reserve
    await several(4, Math.ceil(requestsPerMinute * 2.4) + 20, () =>
      post(`http://127.0.0.1:${proxy.port}/logtrail/logs/bulk`, bulk, HEADERS, 202)
    )
    standin = spawn(
      'taskset',
      ['-c', String(LOAD_CPU), process.execPath, '--import', 'tsx', STANDIN].concat([
        '--port',
        String(port),
        '--key',
        KEY,
        '--plan',
        plan,
        '--keep',
        'count',
        '--limits',
        QUOTA
      ]),
      { stdio: ['ignore', 'pipe', 'inherit'] }
    )
    await once(standin.stdout!, 'data')
    const others = { 'content-type': 'application/json', 'x-api-key': KEY }
    const spent = requestsPerMinute - Math.ceil(requestsPerMinute / 20)
    await several(16, spent, () =>
      post(`http://127.0.0.1:${port}/api/v1/workspace/logs`, JSON.stringify(small), others, 201)
    )
    // until the proxy, which has looked in vain before, has found it, and what the bucket gained meanwhile is spent
    while ((await stats()).requests < spent + requestsPerMinute / 10) await pause(500)
    let before = await stats()
    for (let last = 0; last < before.requests - requestsPerMinute / 11; before = await stats()) {
      last = before.requests
      await pause(5000)
    }
    await pause(60_000)
    const after = await stats()
    return {
      plan,
      entries: after.entries - before.entries,
      requests: after.requests - before.requests,
      refused: after.answers['429'] ?? 0,
      most: requestsPerMinute * maxBatch,
      oneToOne: requestsPerMinute
    }
  } finally {
    await stop(proxy)
    if (standin) await stop({ process: standin })
  }
}

/** So many times, a few at once. */
async function several(atOnce: number, times: number, run: () => Promise<void>): Promise<void> {
  let left = times
  const turn = async () => {
    while (left-- > 0) await run()
  }
  await Promise.all(Array.from({ length: atOnce }, turn))
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
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
