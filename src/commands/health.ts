import { get } from 'node:http'
import { isIPv6 } from 'node:net'
import { loadPart } from '../config.js'
import { EXIT, type Io } from './io.js'

const TIMEOUT_MS = 2000

/**
 * Asks the running proxy's `/healthz` whether it lives. Needs no more of the configuration than where that is.
 * Resolves with 0 for a 200, else 1.
 * @throws ConfigError
 */
export async function health(io: Io, timeoutMs = TIMEOUT_MS): Promise<number> {
  const { ADMIN_HOST, ADMIN_PORT } = loadPart(io, ['ADMIN_HOST', 'ADMIN_PORT'])
  if (ADMIN_PORT === 0) {
    io.err('ADMIN_PORT=0 turns the admin listener off: there is nobody to ask.\n')
    return EXIT.FAULT
  }
  const address = `http://${reachable(ADMIN_HOST)}:${ADMIN_PORT}/healthz`
  try {
    const status = await ask(address, timeoutMs)
    if (status === 200) return EXIT.WELL
    io.err(`${address} answered ${status}.\n`)
  } catch (error) {
    io.err(`${address} does not answer: ${(error as Error).message}\n`)
  }
  return EXIT.FAULT
}

/** An address to listen on that means all of them is none to connect to. */
export function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return isIPv6(host) ? `[${host}]` : host
}

function ask(address: string, timeoutMs: number): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    // The signal bounds the whole exchange; get's own timeout starts anew with every byte.
    get(address, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, response => {
      response
        .resume()
        .on('end', () => resolve(response.statusCode))
        .on('error', reject)
    }).on('error', reject)
  })
}
