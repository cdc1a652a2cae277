import type { Test } from 'tap'
import type { Check } from '../../src/commands/doctor/check.js'
import { type DoctorOptions, doctor } from '../../src/commands/doctor.js'
import { type LogtrailOptions, startLogtrail } from '../helper/logtrail/logtrail.js'
import { SECRET } from '../helper/proxy.js'

export type Env = Record<string, string>

export async function run(env: Env, options: DoctorOptions = {}, flags = {}) {
  const said = { out: '', err: '' }
  const io = {
    env: { LOGTRAIL_PLAN: 'professional', SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SECRET, ADMIN_PORT: '0', ...env },
    cwd: '/nowhere',
    out: (text: string) => {
      said.out += text
    },
    err: (text: string) => {
      said.err += text
    }
  }
  const status = await doctor(io, { json: true, ...flags }, { timeoutMs: 2000, ...options })
  return { status, ...said }
}

export async function checks(env: Env, options: DoctorOptions = {}) {
  const { status, out } = await run(env, options)
  const { ok, checks: list } = JSON.parse(out) as { ok: boolean; checks: Check[] }
  const named = Object.fromEntries(list.map(check => [check.name, check]))
  for (const { name, status: state, change } of list) {
    if ((change === undefined) !== (state === 'ok'))
      throw new Error(`${name}: what to change is said where it is not ok`)
  }
  return { status, ok, named, out }
}

export async function standIn(t: Test, options: LogtrailOptions = {}) {
  const logtrail = await startLogtrail(options)
  t.teardown(() => logtrail.close())
  return { logtrail, env: { LOGTRAIL_URL: logtrail.url, LOGTRAIL_API_KEY: logtrail.key } }
}
