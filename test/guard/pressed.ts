import type { Test } from 'tap'
import { entry, SECRET, sign } from '../helper/proxy.js'
import { forkProgram } from './fork-program.js'

export const ORIGIN = 'https://app.example'

/** The program in a process of its own, with little memory and real pressure. */
export async function startPressed(t: Test, megabytes = 200, env: Record<string, string> = {}) {
  const { child, urls, said } = await forkProgram(t, 'pressed.ts', {
    flags: [`--max-old-space-size=${megabytes}`],
    env: {
      // what tsx compiled and what tap compiled, its coverage does not add up
      _TAPJS_PROCESSINFO_COVERAGE_: '0',
      ADMIN_PORT: String(40_000 + (process.pid % 20_000)),
      SESSION_MODE: 'jwt',
      SESSION_JWT_SECRET: SECRET,
      RATE_LIMIT_MAX: '0',
      ALLOWED_ORIGINS: ORIGIN,
      ...env
    }
  })
  const [admin, url] = urls as [string, string]
  return {
    url,
    admin,
    said,
    press: (what: 'loop' | 'heap' | 'ease') => void child.send(what),
    send: (method: string, path = '/logtrail/logs') =>
      fetch(url + path, {
        method,
        headers: { 'content-type': 'application/json', origin: ORIGIN, cookie: `session=${sign()}` },
        ...(method === 'POST' ? { body: JSON.stringify(entry()) } : {})
      })
  }
}
