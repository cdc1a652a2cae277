import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry, SECRET, sign } from '../helper/proxy.js'

const CHILD = fileURLToPath(new URL('children/pressed.ts', import.meta.url))
export const ORIGIN = 'https://app.example'

/** The program in a process of its own, with little memory and real pressure. */
export async function startPressed(t: Test, megabytes = 200, env: Record<string, string> = {}) {
  const logtrail = await startLogtrail()
  t.teardown(() => logtrail.close())
  const child = fork(CHILD, [], {
    cwd: t.testdir({}),
    execArgv: [`--max-old-space-size=${megabytes}`, '--import', import.meta.resolve('tsx')],
    env: {
      PATH: process.env.PATH,
      // what tsx compiled and what tap compiled, its coverage does not add up
      _TAPJS_PROCESSINFO_COVERAGE_: '0',
      PORT: '0',
      ADMIN_PORT: String(40_000 + (process.pid % 20_000)),
      LOGTRAIL_API_KEY: logtrail.key,
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_PLAN: 'professional',
      SESSION_MODE: 'jwt',
      SESSION_JWT_SECRET: SECRET,
      RATE_LIMIT_MAX: '0',
      ALLOWED_ORIGINS: ORIGIN,
      ...env
    },
    stdio: ['ignore', 'pipe', 'inherit', 'ipc']
  })
  const ended = once(child, 'close')
  t.teardown(async () => {
    child.kill('SIGKILL')
    await ended
  })
  let said = ''
  child.stdout!.setEncoding('utf8').on('data', text => {
    said += text
  })
  const listening = /Server listening at (http:[^"]+)/g
  while ([...said.matchAll(listening)].length < 2) await once(child.stdout!, 'data')
  const [admin, url] = [...said.matchAll(listening)].map(([, address]) => address!) as [string, string]
  return {
    url,
    admin,
    said: () => said,
    press: (what: 'loop' | 'heap' | 'ease') => void child.send(what),
    send: (method: string, path = '/logtrail/logs') =>
      fetch(url + path, {
        method,
        headers: { 'content-type': 'application/json', origin: ORIGIN, cookie: `session=${sign()}` },
        ...(method === 'POST' ? { body: JSON.stringify(entry()) } : {})
      })
  }
}
