import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { getuid } from 'node:process'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

/** Programs that these tests start: real ones, of this machine. Where one is missing its test says so and is skipped. */

export const ROOT = fileURLToPath(new URL('../../', import.meta.url))
const PATIENCE_MS = 20_000

/** Where the program is, or undefined. Debian keeps servers out of a user's PATH. */
export function find(program: string): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/sbin']
  return folders
    .map(folder => join(folder, program))
    .find(path => {
      try {
        accessSync(path, constants.X_OK)
        return true
      } catch {
        return false
      }
    })
}

interface Teardown {
  teardown(handler: () => Promise<unknown> | unknown): void
}

/** For tap's `skip` option: why a test of this program is not run, or false. */
export function missing(program: string, found = find(program)): string | false {
  return found ? false : `${program} is not installed`
}

/** Runs a program to its end. */
export function run(command: string, args: string[], options: { cwd?: string; env?: NodeJS.ProcessEnv } = {}) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { encoding: 'utf8', timeout: 60_000, ...options })
  if (error) throw error
  return { status, output: `${stdout}${stderr}` }
}

/** Starts a server and waits until something listens at the port; ended with the test. */
export async function serve(
  t: Teardown,
  command: string,
  args: string[],
  port: number,
  env: NodeJS.ProcessEnv = process.env
): Promise<ChildProcess> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said += text
    })
  }
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
  for (const began = Date.now(); !(await listens(port)); await pause(20)) {
    if (child.exitCode !== null || Date.now() - began > PATIENCE_MS)
      throw new Error(`${command} did not start: ${said}`)
  }
  return child
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

export function temporaryFolder(t: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'logtrail-docker-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Replaces every one of the words; a word that is not there is a fault of the test or of the file it reads. */
export function fillIn(text: string, words: Record<string, string>): string {
  return Object.entries(words).reduce((filled, [word, value]) => {
    if (!filled.includes(word)) throw new Error(`not to be found: ${word}`)
    return filled.replaceAll(word, value)
  }, text)
}

/** nginx with what surrounds a file of conf.d/, all its files in one folder. */
export function nginx(folder: string, site: string): string[] {
  const paths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(of => `${of}_temp_path ${folder}/${of};`)
  writeFileSync(`${folder}/site.conf`, site)
  writeFileSync(
    `${folder}/nginx.conf`,
    `daemon off; worker_processes 1; pid ${folder}/pid; ${getuid?.() === 0 ? 'user root;' : ''}
     events { worker_connections 256; }
     http { access_log off; ${paths.join(' ')} include ${folder}/site.conf; }`
  )
  return ['-p', folder, '-e', 'stderr', '-c', `${folder}/nginx.conf`]
}
