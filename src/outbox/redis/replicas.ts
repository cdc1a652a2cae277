import type { Redis } from 'ioredis'

/** Longest that an append waits for a replica of Redis; everything else on the connection waits with it. */
const LONGEST = 100

export interface Replicas {
  /** Asks whether Redis has any. Never rejects. */
  look(): Promise<void>
  /**
   * Resolves once a replica has all that was written before, or did not say so in time. Never rejects: what was written is
   * written, and is not taken back.
   */
  confirmed(): void | Promise<void>
}

/**
 * Where Redis has replicas, an append waits for one of them (`WAIT 1 100`), so that a failover keeps what was answered with
 * 202. A replica that does not confirm is told about once and not waited for until `look` is called again: entries are
 * safe on the primary's disk, and to refuse them would be the greater loss.
 */
export function createReplicas(redis: Redis, report: (lagging: boolean) => void): Replicas {
  let some = false
  let lagging = false
  let asking: Promise<void> | undefined
  let next: Promise<void> | undefined

  async function ask(): Promise<void> {
    asking = next
    next = undefined
    if (!some) return
    const count = await redis.wait(1, LONGEST).catch(() => 0)
    if (count === 0) some = false
    if (lagging === (count === 0)) return
    lagging = count === 0
    report(lagging)
  }

  return {
    async look() {
      try {
        some = /^connected_slaves:[1-9]/m.test(await redis.info('replication'))
      } catch {
        // Not allowed, or away; what was known stands.
      }
    },
    confirmed() {
      if (!some) return
      // One question speaks for all that was written before it is asked.
      next ??= (asking ?? Promise.resolve()).then(ask)
      return next
    }
  }
}
