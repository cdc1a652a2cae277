import type { Reading } from '../entry/reader.js'
import type { Sender } from '../guard/limits.js'

/** What this program knows of a request, besides what Fastify does. */
export interface Visit {
  startedAt: number
  address: string
  sender: Sender
  tag: string | undefined
  entries: number
  errorCode: string
  /** Bytes that it takes of the room for requests under way. */
  bytes: number
  reading: Reading | undefined
  /** Its entries were asked for at the limits. */
  counted: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    visit: Visit
  }
}
