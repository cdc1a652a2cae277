import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** As long as a whole request may take. */
const STALLED_MS = 30_000

/**
 * Cuts connections whose client takes nothing of what is written to it, after `ms` and before twice as long. Node.js has no time
 * limit for writing: who never reads would keep a connection, and the answers on it, for ever.
 */
export function cutStalled(server: Server, ms = STALLED_MS): void {
  /** Bytes that clients had taken at the last look, of those for whom more waited. */
  const taken = new Map<Socket, number>()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      taken.delete(socket)
    })
  })
  const timer = setInterval(() => {
    for (const socket of sockets) {
      // bytesWritten counts what waits, too
      const bytes = socket.bytesWritten - socket.writableLength
      if (socket.writableLength === 0) taken.delete(socket)
      else if (taken.get(socket) === bytes) socket.destroy()
      else taken.set(socket, bytes)
    }
  }, ms)
  timer.unref()
  server.once('close', () => clearInterval(timer))
}
