import { loadPart } from '../config.js'
import { openDeadLetters } from '../outbox/open-dead-letters.js'
import type { DeadLetter, DeadLetters } from '../outbox/outbox.js'
import { openRedisDeadLetters } from '../outbox/redis/open-dead-letters.js'
import { type Io, printable, UsageError } from './io.js'

export interface DeadLetterFlags {
  all?: boolean
  json?: boolean
  bodies?: boolean
  limit?: string
  after?: string
}

const MOST = 10_000

/**
 * Looks after the entries that Logtrail refused, beside a running `serve` too. Resolves with 0, or 1 where the queue could
 * not be opened or an id was not there.
 * @throws ConfigError, UsageError
 */
export async function deadLetters(io: Io, flags: DeadLetterFlags, [word, ...ids]: string[]): Promise<number> {
  const work = workOf(io, flags, word, ids)
  const { QUEUE_STORE, QUEUE_PATH, REDIS_URL } = loadPart(io, ['QUEUE_STORE', 'QUEUE_PATH', 'REDIS_URL'])
  const failed = (error: Error): undefined => {
    io.err(`${printable(error.message)}\n`)
  }
  const opening =
    QUEUE_STORE === 'redis'
      ? openRedisDeadLetters(REDIS_URL)
      : openDeadLetters(QUEUE_PATH, event => io.err(`${printable(JSON.stringify(event))}\n`))
  const letters = await opening.catch(failed)
  if (!letters) return 1
  const status = await work(letters).catch(failed)
  await letters.close()
  return status ?? 1
}

function workOf(io: Io, flags: DeadLetterFlags, word: string | undefined, ids: string[]) {
  if (word === 'list') {
    if (ids.length > 0 || flags.all)
      throw new UsageError('dead-letters list takes no ids: it lists all, from --after on.')
    const most = Number(flags.limit ?? 100)
    if (!Number.isInteger(most) || most < 1 || most > MOST)
      throw new UsageError(`--limit is a number from 1 to ${MOST}.`)
    return (letters: DeadLetters) => list(io, flags, most, letters)
  }
  if (word !== 'retry' && word !== 'purge') throw new UsageError('dead-letters is followed by list, retry or purge.')
  if (flags.all ? ids.length > 0 : ids.length === 0) {
    throw new UsageError(`dead-letters ${word} takes the ids that list shows, or --all.`)
  }
  return async (letters: DeadLetters): Promise<number> => {
    const count = await letters[word](flags.all ? 'all' : ids)
    io.out(`${count} ${count === 1 ? 'entry' : 'entries'} ${word === 'retry' ? 'will be sent again' : 'deleted'}.\n`)
    const missing = flags.all ? 0 : new Set(ids).size - count
    if (missing > 0) io.err(`${missing} of the ids ${missing === 1 ? 'is' : 'are'} not among the dead letters.\n`)
    return missing > 0 ? 1 : 0
  }
}

async function list(io: Io, { after, bodies, json }: DeadLetterFlags, most: number, letters: DeadLetters) {
  // One more than is shown, to know whether there are more.
  const found = await letters.list({ limit: most + 1, ...(after !== undefined && { after }), bodies: bodies === true })
  const shown = found.slice(0, most)
  for (const letter of shown) io.out(`${json ? printable(JSON.stringify(letter)) : describe(letter)}\n`)
  if (found.length === 0 && !json) io.out('There are no dead letters.\n')
  if (found.length > most) io.err(`There are more: --after ${shown.at(-1)!.id}\n`)
  return 0
}

function describe({ id, buriedAt, receivedAt, reason, user, body }: DeadLetter): string {
  const { code, status, message, answer } = reason
  const lines = [
    `${id}  ${time(buriedAt)}  ${code}${status === undefined ? '' : ` (${status})`}: ${message}`,
    `    received ${time(receivedAt)}${user === undefined ? '' : ` from ${user}`}`
  ]
  if (body !== undefined) lines.push(`    ${body}`)
  if (body !== undefined && answer !== undefined) lines.push(`    answered: ${answer}`)
  return lines.map(printable).join('\n')
}

const time = (ms: number) => new Date(ms).toISOString()
