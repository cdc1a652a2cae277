import type { ServerResponse } from 'node:http'
import type { FastifyReply } from 'fastify'

export interface EventStream {
  /** Takes the reply over and greets it with an event; false where there are as many listeners as there may be. */
  join(reply: FastifyReply, event: string, data: unknown): boolean
  /** Tells all of them; `data` is made only where there is somebody to tell. */
  tell(event: string, data: () => unknown): void
  close(): void
}

/** More people than ever watch; each costs a socket and a few kilobytes a second. */
const MOST = 32
/** Who does not read is let go, and comes back by itself when it does. */
const MOST_UNREAD = 512 * 1024

/** Server-sent events (WHATWG HTML, 9.2). */
export function createEventStream(most = MOST): EventStream {
  const listeners = new Set<ServerResponse>()
  return {
    join(reply, event, data) {
      if (listeners.size >= most) return false
      reply.hijack()
      const { raw } = reply
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value)
      raw.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' })
      listeners.add(raw)
      raw.on('close', () => listeners.delete(raw))
      raw.on('error', () => raw.destroy())
      raw.write(`retry: 2000\n${frame(event, data)}`)
      return true
    },
    tell(event, data) {
      if (listeners.size === 0) return
      const text = frame(event, data())
      for (const listener of listeners) {
        if (listener.writableLength > MOST_UNREAD) listener.destroy()
        else listener.write(text)
      }
    },
    close() {
      for (const listener of listeners) listener.end()
      listeners.clear()
    }
  }
}

function frame(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
