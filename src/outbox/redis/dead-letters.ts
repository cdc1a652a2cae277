import type { Redis } from 'ioredis'
import {
  type DeadLetter,
  type DeadLetters,
  type DeadReason,
  type EntryId,
  type ListOptions,
  listedReason
} from '../outbox.js'
import { OVERHEAD } from './lua.js'
import type { Answer, Scripts } from './scripts.js'

/** So many are moved in one step of Redis, which does nothing else meanwhile. */
const SLICE = 256
const LIST = 100
/** Below 2^53 there are no more digits. */
const ID = /^\d{1,16}$/

/**
 * The dead letters in Redis, for a running serve and for the command line alike: each call is a script of its own, so that
 * any number of processes may look after them at a time, and none is moved twice.
 * @param moved told what the queue is like after entries were moved back or deleted
 */
export function createDeadLetters(
  redis: Redis,
  scripts: Scripts,
  now: () => number,
  moved: (after: Answer) => void = () => {}
): DeadLetters {
  async function exhume(how: 'retry' | 'purge', which: readonly EntryId[] | 'all'): Promise<number> {
    let sum = 0
    const slice = async (...args: (string | number)[]): Promise<number> => {
      const after = (await scripts.run('exhume', how, Math.floor(now()), ...args)) as Answer
      const count = after.more as number
      sum += count
      if (count > 0) moved(after)
      return count
    }
    if (which === 'all') {
      // What is buried meanwhile is not meant.
      const [last] = await redis.xrevrange(scripts.keys.dead, '+', '-', 'COUNT', 1)
      while (last !== undefined && (await slice('all', last[0], SLICE)) > 0);
      return sum
    }
    const ids = which.map(String).filter(id => ID.test(id))
    for (let i = 0; i < ids.length; i += SLICE) await slice(...ids.slice(i, i + SLICE).map(id => `${id}-0`))
    return sum
  }

  return {
    async list({ limit = LIST, after, bodies = false }: ListOptions = {}) {
      // Ids end in -0: from -1 on is after it.
      const from = after === undefined ? '-' : ID.test(String(after)) ? `${after}-1` : undefined
      if (from === undefined) return []
      const found = await redis.xrange(scripts.keys.dead, from, '+', 'COUNT', limit)
      return found.map(row => deadLetter(row, bodies))
    },
    retry: which => exhume('retry', which),
    purge: which => exhume('purge', which)
  }
}

function deadLetter([id, fields]: [string, string[]], bodies: boolean): DeadLetter {
  const [, user = '', , at, , body = '', , reason = '', , died] = fields
  return {
    id: sequenceOf(id),
    receivedAt: Number(at),
    buriedAt: Number(died),
    bytes: Buffer.byteLength(user) + Buffer.byteLength(body) + Buffer.byteLength(reason) + OVERHEAD,
    reason: listedReason(JSON.parse(reason) as DeadReason, bodies),
    ...(bodies && { user, body })
  }
}

export function sequenceOf(id: string): number {
  return Number(id.slice(0, id.indexOf('-')))
}
