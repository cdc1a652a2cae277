import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import type { Test } from 'tap'
import { type LogtrailOptions, startLogtrail } from '../helper/logtrail/logtrail.js'

export interface Forked {
  child: ChildProcess
  /** Addresses that it listens on, in the order in which it said so: the admin listener's first, where there is one. */
  urls: string[]
  /** What it has written to its standard output. */
  said: () => string
}

export interface ForkOptions {
  env: Record<string, string>
  /** Of Node.js. */
  flags?: string[]
  logtrail?: LogtrailOptions
}

/** A file of `children`, which serves, in a process of its own, before a stand-in of Logtrail; ended with the test. */
export async function forkProgram(t: Test, file: string, { env, flags = [], logtrail: options }: ForkOptions) {
  const logtrail = await startLogtrail(options)
  t.teardown(() => logtrail.close())
  const child = fork(fileURLToPath(new URL(`children/${file}`, import.meta.url)), [], {
    cwd: t.testdir({}),
    execArgv: [...flags, '--import', import.meta.resolve('tsx')],
    env: {
      PATH: process.env.PATH,
      PORT: '0',
      LOGTRAIL_API_KEY: logtrail.key,
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_PLAN: 'professional',
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
  const urls = () => [...said.matchAll(/Server listening at (http:[^"]+)/g)].map(([, url]) => url as string)
  const listeners = env.ADMIN_PORT === '0' ? 1 : 2
  const early = ended.then(() => Promise.reject(new Error(`${file} ended before it listened:\n${said}`)))
  early.catch(() => {})
  while (urls().length < listeners) await Promise.race([once(child.stdout!, 'data'), early])
  return { child, urls: urls(), said: () => said } satisfies Forked
}
