import type { Redis } from 'ioredis'
import { type Account, readAccount } from './accounts.js'
import { PRELUDE, SCRIPTS } from './lua.js'

/** Of all keys. The braces keep them in one slot of a cluster. */
export const QUEUE_PREFIX = '{logtrail-bff:queue}'

export type ScriptName = keyof typeof SCRIPTS

/** What every script says of the queue after it, and its own answer. */
export interface Answer {
  waiting: number
  bytes: number
  deadLetters: number
  /** When the entry in front of the stream was received. */
  oldest?: number
  /** The account of the replica that asked, where the script says it. */
  account?: Account
  more: unknown
}

type Argument = string | number

export interface Scripts {
  readonly keys: { books: string; waiting: string; dead: string; lease: string; replicas: string; accounts: string }
  /** @returns undefined where a holder was named that does not hold the lease (any more): then nothing was done */
  run(name: Exclude<ScriptName, 'read'>, ...args: Argument[]): Promise<Answer | undefined>
  /** Entries as Redis has them: `[id, fields or null where the entry was deleted by other hands]`. */
  read(holder: string, entries: number, after: string): Promise<[string, string[] | null][] | undefined>
}

type Command = (...args: Argument[]) => Promise<unknown>

/** @param prefix of all keys; holds a hash tag. */
export function createScripts(redis: Redis, prefix: string): Scripts {
  const commands = redis as unknown as Record<string, Command>
  for (const [name, lua] of Object.entries(SCRIPTS)) {
    redis.defineCommand(`outbox_${name}`, { numberOfKeys: 6, lua: PRELUDE + lua })
  }
  const keys = {
    books: `${prefix}:books`,
    waiting: `${prefix}:waiting`,
    dead: `${prefix}:dead`,
    lease: `${prefix}:lease`,
    replicas: `${prefix}:replicas`,
    accounts: `${prefix}:accounts`
  }
  const all = Object.values(keys)
  const call = (name: ScriptName, args: Argument[]) => (commands[`outbox_${name}`] as Command)(...all, ...args)

  return {
    keys,
    async run(name, ...args) {
      const reply = (await call(name, args)) as [number, number, number, string, unknown, number[]] | null
      if (reply === null) return undefined
      const [waiting, bytes, deadLetters, oldest, more, own] = reply
      return {
        waiting,
        bytes,
        deadLetters,
        ...(oldest !== '' && { oldest: Number(oldest) }),
        ...(own.length > 0 && { account: readAccount(own) }),
        more
      }
    },
    async read(...args) {
      const reply = (await call('read', args)) as [[string, string[] | null][]] | null
      return reply === null ? undefined : reply[0]
    }
  }
}
