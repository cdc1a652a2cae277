import { HttpError } from '../../errors.js'

export interface RedisOutboxEvent {
  /**
   * `settings`: Redis keeps entries less well than a 202 says; `replicas`, `replicas-well`: those of Redis do not confirm,
   * or do again; `unwritable`, `writable`: appends began to fail, or succeed again; `sending`, `not-sending`: it is this
   * process that sends from now on, or no longer.
   */
  kind: 'settings' | 'replicas' | 'replicas-well' | 'unwritable' | 'writable' | 'sending' | 'not-sending'
  /** Without users' data, addresses or passwords. */
  message: string
}

/** Seconds after which a browser may try again: Redis may be back at once. */
const RETRY_AWAY = 5

export interface RedisHealth {
  /** What keeps entries from being stored. */
  fault(): string | undefined
  well(): void
  /**
   * Says once that entries cannot be stored, and gives what a browser is told. A Redis whose memory is full is none of
   * this: it is a full queue.
   */
  failed(error: unknown): HttpError
}

export function createRedisHealth(report: (event: RedisOutboxEvent) => void): RedisHealth {
  let fault: string | undefined = 'Redis was not reached yet'

  return {
    fault: () => fault,

    well() {
      if (fault === undefined) return
      fault = undefined
      report({ kind: 'writable', message: 'entries are stored in Redis' })
    },

    failed(error) {
      const { name, message } = error as Error
      const code = name === 'ReplyError' ? message.split(' ', 1)[0] : undefined
      const cause = code === undefined ? 'Redis is away or does not answer' : `Redis refuses it: ${code}`
      if (code !== 'OOM' && fault !== cause) {
        fault = cause
        report({ kind: 'unwritable', message: `entries cannot be stored: ${cause}` })
      }
      return new HttpError('QUEUE_FULL', { cause, retryAfter: RETRY_AWAY })
    }
  }
}
