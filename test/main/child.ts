import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const TSX = import.meta.resolve('tsx')

export interface Child {
  process: ChildProcess
  /** What it said so far. */
  out(): string
  err(): string
  /** Resolves once standard output holds the text; rejects if the process ends without it. */
  said(text: string): Promise<void>
  /** Exit status and signal, once it ended. */
  ended: Promise<{ status: number | null; signal: NodeJS.Signals | null }>
}

/** Runs a file of this project as a process of its own, with this environment and nothing else of ours. */
export function startChild(file: string, args: string[], env: Record<string, string>, cwd: string): Child {
  const { PATH = '' } = process.env
  const child = spawn(
    process.execPath,
    ['--import', TSX, fileURLToPath(new URL(`../../${file}`, import.meta.url)), ...args],
    { cwd, env: { PATH, ...env }, stdio: ['ignore', 'pipe', 'pipe'] }
  )
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', text => {
    out += text
  })
  child.stderr.setEncoding('utf8').on('data', text => {
    err += text
  })
  const ended = once(child, 'close').then(([status, signal]) => ({ status, signal }))
  return {
    process: child,
    out: () => out,
    err: () => err,
    ended,
    async said(text) {
      let over = false
      void ended.then(() => {
        over = true
      })
      while (!out.includes(text)) {
        if (over) throw new Error(`ended without saying ${text}:\n${out}\n${err}`)
        await Promise.race([once(child.stdout, 'data'), ended])
      }
    }
  }
}

/** The program itself, until it ends. */
export async function runMain(args: string[], env: Record<string, string>, cwd: string) {
  const child = startChild('src/main.ts', args, env, cwd)
  const { status, signal } = await child.ended
  return { status, signal, out: child.out(), err: child.err() }
}
