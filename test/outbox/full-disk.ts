import { execFileSync } from 'node:child_process'
import type { Test } from 'tap'

/** Mounts a file system in memory for the time of a test; false where this process may not. */
export function mountTmpfs(t: Test, path: string, options: string): boolean {
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', path], { stdio: 'ignore' })
  } catch {
    return false
  }
  t.after(() => execFileSync('umount', ['-l', path]))
  return true
}

const ignore = () => {}

/** Keeps this process from writing longer files until the returned function is called; undefined where that is impossible. */
export function limitFileSize(t: Test, bytes: number): (() => void) | undefined {
  const limit = (soft: string) => execFileSync('prlimit', ['--pid', String(process.pid), `--fsize=${soft}:`])
  try {
    limit(String(bytes))
  } catch {
    return undefined
  }
  // The default of this signal is to end the process.
  process.on('SIGXFSZ', ignore)
  const lift = () => void limit('unlimited')
  t.after(() => {
    lift()
    process.off('SIGXFSZ', ignore)
  })
  return lift
}
