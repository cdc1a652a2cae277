import { connect, type Socket } from 'node:net'

/**
 * Sends bytes as they are and collects what comes back until the peer closes, or has been silent for `quietMs` after its
 * last byte (a keepalive connection stays open), or `timeoutMs` have passed.
 */
export function raw(
  url: string,
  bytes: string | Buffer,
  { quietMs = 500, timeoutMs = 5000 }: { quietMs?: number; timeoutMs?: number } = {}
): Promise<string> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let received = ''
    let quiet: NodeJS.Timeout | undefined
    const end = () => {
      clearTimeout(quiet)
      clearTimeout(limit)
      socket.destroy()
      resolve(received)
    }
    const limit = setTimeout(end, timeoutMs)
    socket.on('connect', () => socket.write(bytes))
    socket.on('data', chunk => {
      received += chunk.toString('latin1')
      clearTimeout(quiet)
      quiet = setTimeout(end, quietMs)
    })
    socket.on('close', end)
    socket.on('error', error =>
      received === '' && (error as NodeJS.ErrnoException).code !== 'ECONNRESET' ? reject(error) : end()
    )
  })
}

export function open(url: string, allowHalfOpen = false): Socket {
  const { port, hostname } = new URL(url)
  return connect({ port: Number(port), host: hostname, allowHalfOpen })
}

/** Everything a socket receives, once the other side has closed it. */
export function untilClosed(socket: Socket): Promise<string> {
  return new Promise(resolve => {
    let received = ''
    socket.on('data', chunk => {
      received += chunk
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(received))
  })
}

/** The status codes of all answers in what was received, in order. */
export function statuses(received: string): number[] {
  return [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(match => Number(match[1]))
}
