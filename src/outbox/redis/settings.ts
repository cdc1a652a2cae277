import type { Redis } from 'ioredis'

export type Setting = 'appendonly' | 'appendfsync' | 'maxmemory-policy'

/** A setting that is weaker than a 202 promises, or may be: not every service tells. */
export interface Weakness {
  setting: Setting
  /** `error`: a restart or a full memory loses what was acknowledged; `warning`: at most the crash of its machine does. */
  severity: 'error' | 'warning'
  message: string
}

/**
 * What in the settings of a Redis is weaker than a 202 promises; nothing for one that keeps it. Replicas of Redis are another
 * matter: see `createReplicas`.
 * @throws what the connection does
 */
export async function queueSettings(redis: Redis): Promise<Weakness[]> {
  const { appendonly, appendfsync, 'maxmemory-policy': policy } = await read(redis)
  const found: Weakness[] = []
  const add = (setting: Setting, severity: Weakness['severity'], message: string) =>
    void found.push({ setting, severity, message })
  const untold = (setting: Setting, safe: string) =>
    add(setting, 'warning', `cannot tell ${setting}: CONFIG GET is not allowed; make sure that it is ${safe}`)

  if (appendonly === undefined) untold('appendonly', 'yes')
  if (appendonly === 'no') {
    add('appendonly', 'error', 'appendonly is no: a restart of Redis loses entries that were answered with 202')
  } else if (appendfsync === undefined) untold('appendfsync', 'always')
  else if (appendfsync !== 'always') {
    const lost = appendfsync === 'everysec' ? 'up to two seconds of entries' : 'what was not yet on disk'
    const message = `appendfsync is ${appendfsync}: a crash of its machine loses ${lost}; always loses none`
    add('appendfsync', 'warning', message)
  }
  if (policy === undefined) untold('maxmemory-policy', 'noeviction')
  else if (policy !== 'noeviction') {
    const message = `maxmemory-policy is ${policy}: Redis deletes the queue when its memory is full; noeviction refuses new entries`
    add('maxmemory-policy', 'error', message)
  }
  return found
}

/** Without those that neither CONFIG GET nor INFO tells: users and services may not be allowed them. */
async function read(redis: Redis): Promise<Partial<Record<Setting, string>>> {
  const info = readInfo(await allowed(redis.info(), ''))
  const settings: Partial<Record<Setting, string>> = {}
  if (info.aof_enabled !== undefined) settings.appendonly = info.aof_enabled === '1' ? 'yes' : 'no'
  if (info.maxmemory_policy !== undefined) settings['maxmemory-policy'] = info.maxmemory_policy
  // One at a time: before Redis 7 there is no other way.
  for (const name of ['appendonly', 'appendfsync', 'maxmemory-policy'] as const) {
    const [, value] = (await allowed(redis.config('GET', name), [])) as string[]
    if (value !== undefined) settings[name] = value
  }
  return settings
}

/** An answer, or `otherwise` where Redis refuses it. */
async function allowed<T>(answer: Promise<T>, otherwise: T): Promise<T> {
  return answer.catch((error: Error) => {
    if (error.name === 'ReplyError') return otherwise
    throw error
  })
}

/** What INFO says, by name. */
export function readInfo(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!]))
}
