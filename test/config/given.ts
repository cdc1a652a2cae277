import { generateKeyPairSync } from 'node:crypto'
import { ConfigError, loadConfig } from '../../src/config.js'

/** Made up for these tests; none was ever a key of anybody. */
export const KEY = 'lt_staging_wo_T3stOnlyNeverIssued01'
export const NEXT_KEY = 'lt_staging_wo_T3stOnlyNeverIssued02'
export const PRODUCTION_KEY = 'lt_production_wo_T3stOnlyNeverIssued03'
export const DEVELOPMENT_KEY = 'lt_development_wo_T3stOnlyNeverIssued04'
export const SHARED_SECRET = 'q7Vd0xYpW2nLr8sKc5tB1mZ4hJ6gF9aE3uQo'

export const BASE = {
  LOGTRAIL_API_KEY: KEY,
  LOGTRAIL_PLAN: 'developer',
  SESSION_MODE: 'jwt',
  SESSION_JWT_SECRET: SHARED_SECRET
}

type Env = Record<string, string | undefined>

/** The configuration of BASE and `env`, with `files` as the only ones there are. */
export function configOf(env: Env = {}, files: Record<string, string> = {}) {
  return loadConfig({ env: { ...BASE, ...env }, cwd: '/srv', readFile: readFrom(files) })
}

/** The faults of the same, as `VARIABLE message`; none if it is well. */
export function faultsOf(env: Env = {}, files: Record<string, string> = {}): string[] {
  try {
    configOf(env, files)
    return []
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return error.faults.map(({ variable, message }) => `${variable} ${message}`)
  }
}

export function readFrom(files: Record<string, string>) {
  return (path: string): string => {
    const text = files[path]
    if (text === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT' })
    return text
  }
}

export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
export const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' })
export const ed25519 = generateKeyPairSync('ed25519')
export const pemOf = (key: typeof rsa.publicKey): string => key.export({ type: 'spki', format: 'pem' }) as string
