import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The processor that the program under test has alone, and the one that load generator and upstream share. */
export const TESTED_CPU = 0
export const LOAD_CPU = 1

export const peer = (name: string): string => fileURLToPath(new URL(`./peers/${name}`, import.meta.url))

export function installed(program: string): boolean {
  try {
    execFileSync('sh', ['-c', `command -v ${program}`], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

export function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

export interface Running {
  process: ChildProcess
  port: number
}

/** Starts a command on one processor and waits until its port answers what it is `asked`, by HTTP where nothing is said. */
export async function start(
  cpu: number,
  command: string[],
  port: number,
  env: Record<string, string> = {},
  asked: (port: number) => Promise<unknown> = port => fetch(`http://127.0.0.1:${port}/`)
): Promise<Running> {
  const child = spawn('taskset', ['-c', String(cpu), ...command], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, PORT: String(port), ...env },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let errors = ''
  child.stderr?.on('data', chunk => {
    errors = (errors + chunk).slice(-2000)
  })
  for (let tries = 0; tries < 200; tries++) {
    if (child.exitCode !== null) break
    try {
      await asked(port)
      return { process: child, port }
    } catch {
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
  await stop({ process: child })
  throw new Error(`${command.join(' ')} did not start: ${errors}`)
}

/**
 * Kills a process and its children, and waits until it is gone. A master that is killed takes none of its workers along, and
 * they hold its standard error open, for which this process would wait.
 */
export async function stop({ process: child }: Pick<Running, 'process'>): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  for (const pid of pidsOf(child.pid)) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // It has ended meanwhile.
    }
  }
  await gone
}

/** A configuration file of a peer with its places filled. */
export function fill(template: string, values: Record<string, string | number>): string {
  const dir = mkdtempSync(join(tmpdir(), 'bench-'))
  const text = Object.entries({ ...values, DIR: dir }).reduce(
    (result, [name, value]) => result.replaceAll(`%${name}%`, String(value)),
    readFileSync(peer(template), 'utf8')
  )
  const file = join(dir, template)
  writeFileSync(file, text)
  return file
}

/** CPU seconds of a process and its children so far, from proc(5); USER_HZ is 100 on every Linux that Node.js runs on. */
export function cpuSeconds(pid: number): number {
  return pidsOf(pid).reduce((sum, id) => {
    try {
      const fields = readFileSync(`/proc/${id}/stat`, 'utf8').split(') ')[1]!.split(' ')
      return sum + (Number(fields[11]) + Number(fields[12])) / 100
    } catch {
      return sum
    }
  }, 0)
}

/** Peak resident memory in MB, of the process and its children. */
export function peakMb(pid: number): number {
  return pidsOf(pid).reduce((sum, id) => sum + statusKb(id, 'VmHWM') / 1024, 0)
}

/** Resident and anonymous memory in MB now. */
export function memoryMb(pid: number): { resident: number; anonymous: number } {
  return { resident: statusKb(pid, 'VmRSS') / 1024, anonymous: statusKb(pid, 'RssAnon') / 1024 }
}

function statusKb(pid: number, field: string): number {
  try {
    return Number(new RegExp(`${field}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0)
  } catch {
    return 0
  }
}

function pidsOf(pid: number): number[] {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
    return [pid, ...(children ? children.split(' ').flatMap(child => pidsOf(Number(child))) : [])]
  } catch {
    return [pid]
  }
}

export function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!
}
