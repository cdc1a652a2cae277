import { execFileSync } from 'node:child_process'

function canTrace(): boolean {
  try {
    execFileSync('strace', ['-o', '/dev/null', process.execPath, '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** For tap's `skip` option. */
export const noStrace = canTrace() ? false : 'strace is not installed or may not trace here'
