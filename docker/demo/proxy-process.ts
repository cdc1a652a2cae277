import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const PROGRAM = [fileURLToPath(new URL('../../dist/main.js', import.meta.url))]
/** The same program before it is built, for tests of a tree that may have no `dist`. */
const SOURCE = ['--import', import.meta.resolve('tsx'), fileURLToPath(new URL('../../src/main.ts', import.meta.url))]
const START_MS = 20_000
const STOP_MS = 12_000

export interface ProxyProcess {
  /** Resolves when its admin listener says it is ready; rejects when it ended before, or takes too long. */
  ready(): Promise<void>
  /** Settles when the process has ended, however; says how. */
  readonly ended: Promise<string>
  /** Can be called twice; the second call hurries it. */
  stop(): Promise<void>
}

/**
 * Starts the real proxy, as a user would: dist/main.js and environment variables. It gets a directory of its own, so
 * that a `.env` of the project cannot change the demo, and a process group of its own, so that Ctrl-C reaches it once.
 */
export function startProxy(
  variables: Record<string, string>,
  say: (line: string) => void,
  fromSource = false
): ProxyProcess {
  const directory = mkdtempSync(join(tmpdir(), 'logtrail-demo-'))
  const { PATH = '', HOME = '', TMPDIR } = process.env
  const child = spawn(process.execPath, [...(fromSource ? SOURCE : PROGRAM), 'serve'], {
    cwd: directory,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH, HOME, ...(TMPDIR && { TMPDIR }), ...variables }
  })
  for (const stream of [child.stdout, child.stderr]) createInterface(stream).on('line', line => say(readable(line)))
  let over = false
  const ended = new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('exit', (code, signal) => resolve(signal ? `ended by ${signal}` : `exit status ${code}`))
  }).finally(() => {
    over = true
  })
  return {
    ended,
    async ready() {
      const readyz = `http://${variables.ADMIN_HOST}:${variables.ADMIN_PORT}/readyz`
      for (const began = Date.now(); !over; await pause(50)) {
        const answer = await fetch(readyz).catch(() => undefined)
        if (answer?.ok) return
        if (Date.now() - began > START_MS) throw new Error(`The proxy was not ready within ${START_MS / 1000} s.`)
      }
      throw new Error(`The proxy did not start: ${await ended}.`)
    },
    async stop() {
      if (!over) await end(child, ended)
      await rm(directory, { recursive: true, force: true })
    }
  }
}

async function end(child: ChildProcess, ended: Promise<string>): Promise<void> {
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
  await ended
  clearTimeout(late)
}

const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' }

/** A line of pino's JSON as one for people; any other line as it is. */
function readable(line: string): string {
  try {
    const { level, msg } = JSON.parse(line) as { level: number; msg: string }
    return `${LEVELS[level] ?? level}: ${msg}`
  } catch {
    return line
  }
}
