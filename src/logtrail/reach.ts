import { connect as connectPlain, isIP } from 'node:net'
import { connect as connectTls, rootCertificates } from 'node:tls'

export interface ReachOptions {
  /** Milliseconds for the connection, its TLS included. */
  timeoutMs: number
  /** PEM of a certificate authority that is trusted besides the usual ones. */
  ca?: string | undefined
}

/**
 * Whether a connection to the address can be made, its certificate verified. No request is sent: it costs nothing of the
 * plan, and no key leaves.
 * @returns undefined, or why not: a code of Node.js, which names nothing secret
 */
export function reach(address: string, { timeoutMs, ca }: ReachOptions): Promise<string | undefined> {
  const { protocol, hostname, port } = new URL(address)
  const secure = protocol === 'https:'
  const host = hostname.replace(/^\[|\]$/g, '')
  const at = { host, port: Number(port || (secure ? 443 : 80)) }
  const tls = {
    rejectUnauthorized: true,
    ...(isIP(host) ? {} : { servername: host }),
    ...(ca === undefined ? {} : { ca: [...rootCertificates, ca] })
  }
  return new Promise(resolve => {
    const socket = secure ? connectTls({ ...at, ...tls }) : connectPlain(at)
    const end = (why?: string) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(why)
    }
    const timer = setTimeout(end, timeoutMs, 'TIMEOUT')
    socket.once(secure ? 'secureConnect' : 'connect', () => end())
    // Whatever it is, it is a reason: without one the address would count as reached.
    socket.on('error', ({ code }: NodeJS.ErrnoException) => end(`${code}`))
  })
}
