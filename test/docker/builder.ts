import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { getuid } from 'node:process'
import { find } from './programs.js'

/**
 * What builds the image and runs it here. IMAGE_BUILDER names a program of this form, for machines without a container
 * engine: `PROGRAM -t TAG CONTEXT` builds; `PROGRAM run -t TAG [-e NAME=VALUE]… [-- COMMAND…]` runs on this machine's network
 * and in its process namespace; `PROGRAM exec` prints a buildah command line. Otherwise docker or podman, if its engine answers.
 */
export interface Builder {
  name: string
  build(context: string, tag: string): { status: number | null; output: string }
  config(tag: string): ImageConfig
  /** Runs a script by the image's node, as the image's user; what it prints. */
  script(tag: string, code: string): string
  /** Runs the image as it is, on this machine's network. */
  start(tag: string, env: Record<string, string>): Running
  /** The image's files as a folder, where there is such a thing. */
  mount?(tag: string): { folder: string; release(): void }
}

export interface Running {
  process: ChildProcess
  /** Sends a signal to the program itself, as an engine does. */
  signal(name: NodeJS.Signals): void
}

export interface ImageConfig {
  User: string
  Entrypoint: string[]
  Cmd: string[] | null
  Env: string[]
  Volumes: Record<string, object>
  Labels: Record<string, string>
  StopSignal: string
  Healthcheck: { Test: string[]; Interval: number; Timeout: number; StartPeriod: number; Retries: number }
}

const MINUTES = 60_000

function call(command: string, args: string[], timeout = 2 * MINUTES): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout, maxBuffer: 1e8 })
  if (error || status !== 0) throw error ?? new Error(`${command} ${args[0]}: ${stderr || stdout}`)
  return stdout
}

/** A builder, or why there is none. */
export function findBuilder(base: string): Builder | string {
  const { IMAGE_BUILDER } = process.env
  if (IMAGE_BUILDER) return chrootBuilder(IMAGE_BUILDER)
  const tried: string[] = []
  for (const name of ['docker', 'podman']) {
    const program = find(name)
    if (!program) tried.push(`${name} is not installed`)
    else if (spawnSync(program, ['info'], { timeout: MINUTES / 4 }).status !== 0) tried.push(`${name} has no engine`)
    else if (spawnSync(program, ['pull', base], { timeout: 5 * MINUTES }).status !== 0)
      tried.push(`${name} cannot get ${base}`)
    else return engine(name, program)
  }
  return `${tried.join(', ')}, and IMAGE_BUILDER is not set`
}

function engine(name: string, program: string): Builder {
  const options = ['run', '--rm', '--network=host', '--read-only', '--cap-drop=ALL', '--security-opt=no-new-privileges']
  return {
    name,
    build(context, tag) {
      const { status, stdout, stderr } = spawnSync(program, ['build', '-t', tag, context], {
        encoding: 'utf8',
        timeout: 15 * MINUTES
      })
      return { status, output: stdout + stderr }
    },
    config: tag => JSON.parse(call(program, ['image', 'inspect', tag]))[0].Config,
    script: (tag, code) => call(program, [...options, '--entrypoint=node', tag, '-e', code]),
    start(tag, env) {
      const named = Object.entries(env).map(([key, value]) => `--env=${key}=${value}`)
      // Signals that reach the client are handed to the container's PID 1.
      const process = spawn(program, [...options, ...named, tag], { stdio: ['ignore', 'pipe', 'pipe'] })
      return { process, signal: name => void process.kill(name) }
    }
  }
}

function chrootBuilder(program: string): Builder {
  const buildah = () => call(program, ['exec']).trim().split(' ') as [string, ...string[]]
  return {
    name: 'IMAGE_BUILDER',
    build(context, tag) {
      const { status, stdout, stderr } = spawnSync(program, ['-t', tag, context], {
        encoding: 'utf8',
        timeout: 25 * MINUTES,
        maxBuffer: 1e8
      })
      return { status, output: stdout + stderr }
    },
    config(tag) {
      const [command, ...args] = buildah()
      return JSON.parse(call(command, [...args, 'inspect', '--type', 'image', tag])).Docker.config
    },
    script: (tag, code) => call(program, ['run', '-t', tag, '--', 'node', '-e', code]),
    start(tag, env) {
      const named = Object.entries(env).flatMap(([key, value]) => ['-e', `${key}=${value}`])
      const process = spawn(program, ['run', '-t', tag, ...named], { stdio: ['ignore', 'pipe', 'pipe'] })
      return { process, signal: name => signalProgram(process.pid!, name) }
    },
    ...(getuid?.() === 0 && {
      mount(tag) {
        const [command, ...args] = buildah()
        const container = call(command, [...args, 'from', '--pull-never', tag]).trim()
        const folder = call(command, [...args, 'mount', container]).trim()
        return { folder, release: () => void call(command, [...args, 'rm', container]) }
      }
    })
  }
}

/** Of the processes that came of this one, the program: without a process namespace the signal has to find it. */
export function signalProgram(parent: number, name: NodeJS.Signals): void {
  const pids = descendants(parent).filter(pid => {
    const [command = '', ...words] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
    return /(^|\/)node$/.test(command) && words.find(word => !word.startsWith('-')) === '/app/dist/main.js'
  })
  if (pids.length !== 1) throw new Error(`${pids.length} processes run the program`)
  process.kill(pids[0]!, name)
}

function descendants(parent: number): number[] {
  const parents = new Map<number, number>()
  for (const pid of readdirSync('/proc').map(Number).filter(Number.isInteger)) {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
      // after the name, which may hold anything: state, parent
      parents.set(pid, Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // it has ended
    }
  }
  const found: number[] = []
  for (let next = [parent]; next.length > 0; ) {
    next = [...parents].filter(([, above]) => next.includes(above)).map(([pid]) => pid)
    found.push(...next)
  }
  return found
}
