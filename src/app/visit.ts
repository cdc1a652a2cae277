import type { Reading } from '../entry/reader.js'
import type { Body } from '../guard/body.js'
import type { Caller } from '../guard/limits.js'
import type { Guest } from '../guard/room.js'

/** What this program knows of a request, besides what Fastify does. */
export interface Visit extends Guest {
  startedAt: number
  address: string
  caller: Caller
  tag: string | undefined
  entries: number
  errorCode: string
  /** Being read. */
  body: Body | undefined
  reading: Reading | undefined
  /** It is a valid request, and none before it on its connection was invalid. */
  valid: boolean
  /** Its caller's requests were asked for at the limits. */
  asked: boolean
  /** Over all replicas it is counted, or about to be. */
  counted: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    visit: Visit
  }
}
