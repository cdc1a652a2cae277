import { execFile } from 'node:child_process'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed, LOAD_CPU } from './machine.js'

export interface Load {
  port: number
  path: string
  body: string
  headers: Record<string, string>
  connections: number
  seconds: number
}

export interface LoadResult {
  requests: number
  perSecond: number
  p50: number
  p99: number
  /** Answers that were not 2xx, and sockets that failed. */
  failed: number
}

/** Sends one request again and again over keepalive connections, by wrk where it is installed, else by autocannon. */
export function load(what: Load): Promise<LoadResult> {
  return installed('wrk') ? byWrk(what) : byAutocannon(what)
}

function run(command: string[], timeoutSeconds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(
      'taskset',
      ['-c', String(LOAD_CPU), ...command],
      { timeout: timeoutSeconds * 1000, maxBuffer: 1 << 26 },
      (error, stdout, stderr) => (error ? reject(new Error(`${error.message}\n${stderr}`)) : resolve(stdout))
    )
  })
}

async function byWrk({ port, path, body, headers, connections, seconds }: Load): Promise<LoadResult> {
  const script = join(mkdtempSync(join(tmpdir(), 'bench-')), 'load.lua')
  const quote = (text: string) => `[==[${text}]==]`
  writeFileSync(
    script,
    `wrk.method = "POST"
wrk.body = ${quote(body)}
${Object.entries(headers)
  .map(([name, value]) => `wrk.headers[ ${quote(name)} ] = ${quote(value)}`)
  .join('\n')}
function done(summary, latency)
  local failed = summary.errors.status + summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
  io.write(string.format("RESULT %d %d %.3f %.3f %d\\n", summary.requests, summary.duration,
    latency:percentile(50) / 1000, latency:percentile(99) / 1000, failed))
end
`
  )
  const output = await run(
    [
      'wrk',
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      '--timeout',
      '30s',
      '-s',
      script,
      `http://127.0.0.1:${port}${path}`
    ],
    seconds + 40
  )
  const [requests, duration, p50, p99, failed] = /RESULT (.*)/.exec(output)![1]!.split(' ').map(Number) as [
    number,
    number,
    number,
    number,
    number
  ]
  return { requests, perSecond: requests / (duration / 1e6), p50, p99, failed }
}

async function byAutocannon({ port, path, body, headers, connections, seconds }: Load): Promise<LoadResult> {
  const program = createRequire(import.meta.url).resolve('autocannon/autocannon.js')
  const options = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}=${value}`])
  const output = await run(
    ['node', program, '--json', '-m', 'POST', '-b', body, ...options].concat([
      '-c',
      String(connections),
      '-d',
      String(seconds),
      `http://127.0.0.1:${port}${path}`
    ]),
    seconds + 40
  )
  const result = JSON.parse(output)
  return {
    requests: result.requests.total,
    perSecond: result.requests.average,
    p50: result.latency.p50,
    p99: result.latency.p99,
    failed: result.non2xx + result.errors
  }
}
