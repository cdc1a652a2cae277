import type { DeadLetters } from '../outbox.js'
import { openOnce } from './connection.js'
import { createDeadLetters } from './dead-letters.js'
import { createScripts, QUEUE_PREFIX } from './scripts.js'

const CONNECT = 5000
const COMMAND = 10_000

/**
 * The dead letters of the queue in Redis, for the command line; works beside running serves, which learn of retried entries
 * within a second.
 * @param url REDIS_URL
 * @throws Error without the address, which may hold a password
 */
export async function openRedisDeadLetters(
  url: string,
  prefix = QUEUE_PREFIX
): Promise<DeadLetters & { close(): Promise<void> }> {
  const timeouts = { connectTimeout: CONNECT, commandTimeout: COMMAND }
  const redis = await openOnce(url, timeouts).catch(({ code }: NodeJS.ErrnoException) => {
    throw new Error(`Redis cannot be used${code === undefined ? '' : ` (${code})`}: see REDIS_URL`)
  })
  const letters = createDeadLetters(redis, createScripts(redis, prefix), Date.now)
  return { ...letters, close: async () => redis.disconnect() }
}
