import { stat } from 'node:fs/promises'
import { REDIS_QUEUE_WITHOUT_URL } from '../config/checks.js'
import { ConfigError, loadPart } from '../config.js'
import { openDeadLetters } from '../outbox/open-dead-letters.js'
import type { DeadLetter, DeadLetters, EntryId } from '../outbox/outbox.js'
import { openRedisDeadLetters } from '../outbox/redis/open-dead-letters.js'
import { EXIT, type Io, printable, UsageError } from './io.js'

export interface DeadLetterFlags {
  all?: boolean
  json?: boolean
  bodies?: boolean
  limit?: string
  after?: string
}

type Letters = DeadLetters & { close(): Promise<void> }

const MOST = 10_000

/** So many are asked for at once: a running proxy reads and writes each answer in one go, and does nothing else meanwhile. */
const PART = 500
const PART_WITH_BODIES = 50

/** What a queue holds that there is not yet. */
const NONE: Letters = { list: async () => [], retry: async () => 0, purge: async () => 0, close: async () => {} }

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
  const opening = QUEUE_STORE === 'redis' ? openRedis(REDIS_URL) : openDisk(io, QUEUE_PATH)
  const letters = await opening.catch(failed)
  if (!letters) return EXIT.FAULT
  const status = await work(letters).catch(failed)
  await letters.close()
  return status ?? EXIT.FAULT
}

/** @throws ConfigError, at once: no opening has failed. */
function openRedis(url: string | undefined): Promise<Letters> {
  if (url === undefined) throw new ConfigError([REDIS_QUEUE_WITHOUT_URL])
  return openRedisDeadLetters(url)
}

/** Where nothing was ever queued there is no queue: that is well. The path is said, since it may be another one that is meant. */
async function openDisk(io: Io, path: string): Promise<Letters> {
  const missing = await stat(path).catch(({ code }: NodeJS.ErrnoException) => code === 'ENOENT')
  if (missing === true) {
    io.err(`${printable(`There is no queue at ${path} (QUEUE_PATH).`)}\n`)
    return NONE
  }
  return openDeadLetters(path, event => io.err(`${printable(JSON.stringify(event))}\n`))
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
    return missing > 0 ? EXIT.FAULT : EXIT.WELL
  }
}

async function list(io: Io, { after, bodies = false, json }: DeadLetterFlags, most: number, letters: DeadLetters) {
  let from: EntryId | undefined = after
  // One more than is shown, to know whether there are more.
  for (let left = most + 1; left > 0; ) {
    const limit = Math.min(left, bodies ? PART_WITH_BODIES : PART)
    const found = await letters.list({ limit, ...(from !== undefined && { after: from }), bodies })
    // One that is shorter is not the last: what cannot be read is left out.
    if (found.length === 0) {
      if (left === most + 1 && !json) io.out('There are no dead letters.\n')
      break
    }
    for (const letter of found) {
      if (--left === 0) {
        io.err(`There are more: --after ${from}\n`)
        break
      }
      io.out(`${json ? printable(JSON.stringify(letter)) : describe(letter)}\n`)
      from = letter.id
    }
  }
  return EXIT.WELL
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
