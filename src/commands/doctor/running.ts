import { get } from 'node:http'
import { reachable } from '../health.js'
import { type Check, ok, warning } from './check.js'

/** What doctor reads of a running proxy's `/status`. */
export interface RunningStatus {
  version: string
  budget?: { limitTold?: number | null }
  clients?: {
    requests: number
    addresses: 'none' | 'one' | 'several'
    users: 'none' | 'one' | 'several'
    untrustedForwarding: boolean
  }
}

const MAX_BYTES = 1024 * 1024

/** Asks the running proxy on the admin listener. @returns undefined where there is none, or it is not one of ours */
export async function askRunning(host: string, port: number, timeoutMs: number): Promise<RunningStatus | undefined> {
  if (port === 0) return undefined
  try {
    const status = JSON.parse(await fetchText(`http://${reachable(host)}:${port}/status`, timeoutMs))
    return typeof status?.version === 'string' ? status : undefined
  } catch {
    return undefined
  }
}

function fetchText(address: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    get(address, { agent: false, signal: AbortSignal.timeout(timeoutMs) }, response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => {
        text += chunk
        if (text.length > MAX_BYTES) response.destroy(new Error('too long'))
      })
      response.on('end', () => resolve(text)).on('error', reject)
    }).on('error', reject)
  })
}

/** Requests that say something about where all of them come from. */
const ENOUGH = 10

/** Whether browsers are told apart behind the reverse proxy, as the running proxy sees them. */
export function judgeProxyTrust(
  status: RunningStatus | undefined,
  trusted: readonly string[],
  adminPort: number
): Check {
  const name = 'proxy trust'
  const clients = status?.clients
  if (clients === undefined) {
    const why =
      adminPort === 0 ? 'ADMIN_PORT=0 leaves nobody to ask' : 'no running proxy answers on ADMIN_HOST and ADMIN_PORT'
    return warning(name, `cannot tell: ${why}`, 'Run doctor beside a running proxy that browsers use.')
  }
  const change =
    'Set TRUST_PROXY to the addresses of the reverse proxy in front (such as loopback, uniquelocal or its CIDR), and let it set X-Forwarded-For.'
  if (clients.untrustedForwarding) {
    const message = 'forwarding headers come from an address that TRUST_PROXY does not name: all users look like one'
    return warning(name, message, change)
  }
  if (clients.requests < ENOUGH || clients.addresses === 'none') {
    return warning(name, 'cannot tell: too few requests lately', 'Run doctor again when browsers have used the proxy.')
  }
  if (clients.addresses === 'several') {
    return ok(name, `recent requests come from different addresses${trusted.length > 0 ? ', as TRUST_PROXY says' : ''}`)
  }
  const whose = clients.users === 'several' ? 'of several users ' : ''
  return warning(name, `all recent requests ${whose}come from one address: they share one limit`, change)
}
