import type { Redis } from 'ioredis'

/**
 * What in the settings of a Redis is weaker than a 202 promises, each in a sentence that says what to change; nothing for
 * one that keeps it. Replicas of Redis are another matter: see `createReplicas`.
 * @throws what the connection does
 */
export async function queueSettings(redis: Redis): Promise<string[]> {
  const settings = await read(redis)
  if (settings === undefined) {
    return [
      'this Redis does not tell its settings (CONFIG GET): make sure of appendonly yes, appendfsync always and maxmemory-policy noeviction'
    ]
  }
  const weaker: string[] = []
  const { appendonly, appendfsync, 'maxmemory-policy': policy } = settings
  if (appendonly === 'no') weaker.push('appendonly is no: a restart of Redis loses entries that were answered with 202')
  else if (appendfsync === 'everysec') {
    weaker.push('appendfsync is everysec: a crash of its machine loses up to two seconds of entries; always loses none')
  } else if (appendfsync !== 'always') {
    weaker.push(
      `appendfsync is ${appendfsync}: a crash of its machine loses what was not yet on disk; always loses nothing`
    )
  }
  if (policy !== 'noeviction') {
    weaker.push(
      `maxmemory-policy is ${policy}: Redis deletes the queue when its memory is full; noeviction refuses new entries`
    )
  }
  return weaker
}

async function read(redis: Redis): Promise<Record<string, string> | undefined> {
  const settings: Record<string, string> = {}
  try {
    // One at a time: before Redis 7 there is no other way.
    for (const name of ['appendonly', 'appendfsync', 'maxmemory-policy']) {
      const [, value] = (await redis.config('GET', name)) as string[]
      if (value === undefined) return undefined
      settings[name] = value
    }
  } catch (error) {
    if ((error as Error).name === 'ReplyError') return undefined
    throw error
  }
  return settings
}
