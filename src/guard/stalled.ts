import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** As long as a whole request may take. */
const STALLED_MS = 30_000

/**
 * Cuts connections whose client takes nothing of what is written to it, after `ms` and before twice as long. Node.js has no time
 * limit for writing: who never reads would keep a connection, and the answers on it, for ever.
 */
export function cutStalled(server: Server, ms = STALLED_MS): void {
  /** Bytes that waited to be written, at the last look. */
  const waiting = new Map<Socket, number>()
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => {
    sockets.add(socket)
    socket.once('close', () => {
      sockets.delete(socket)
      waiting.delete(socket)
    })
  })
  const timer = setInterval(() => {
    for (const socket of sockets) {
      if (socket.writableLength === 0) waiting.delete(socket)
      else if (waiting.get(socket) === socket.writableLength) socket.destroy()
      else waiting.set(socket, socket.writableLength)
    }
  }, ms)
  timer.unref()
  server.once('close', () => clearInterval(timer))
}
