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
  /** It is a valid request, and none before it on its connection was invalid. */
  valid: boolean
  /** Its sender's requests were asked for at the limits. */
  asked: boolean
  /** Over all replicas it is counted, or about to be. */
  counted: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    visit: Visit
  }
}
