import { openOnce } from '../../outbox/redis/connection.js'
import { queueSettings, readInfo, type Setting, type Weakness } from '../../outbox/redis/settings.js'
import { type Check, failed, ok, warning } from './check.js'

export interface RedisCheckOptions {
  url: string
  /** How the check is called, and the variable that names this Redis. */
  name: string
  variable: string
  /** QUEUE_STORE=redis: it must keep what it has acknowledged. */
  keepsQueue: boolean
  timeoutMs: number
}

const OLDEST = [6, 2] as const

/** Connects, asks, and leaves: version, role, and what durable queues rest on. */
export async function checkRedis({ url, name, variable, keepsQueue, timeoutMs }: RedisCheckOptions): Promise<Check[]> {
  try {
    const redis = await openOnce(url, { connectTimeout: timeoutMs, commandTimeout: timeoutMs })
    try {
      await redis.ping()
      const info = readInfo(await redis.info().catch(() => ''))
      const found = [judgeServer(name, variable, info)]
      if (keepsQueue) found.push(...judgeDurability(await queueSettings(redis)))
      return found
    } finally {
      redis.disconnect()
    }
  } catch (error) {
    return [failed(name, `no answer: ${said(error as Error)}`, changeFor(error as Error, variable))]
  }
}

function judgeServer(name: string, variable: string, info: Record<string, string>): Check {
  const version = info.redis_version
  if (version === undefined) {
    return warning(name, 'it answers, but this user may not ask its version (INFO)', 'See that it is 6.2 or newer.')
  }
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const which = info.valkey_version ? `Valkey ${info.valkey_version}` : `Redis ${version}`
  if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
    return failed(name, `${which} answers: too old`, `Let ${variable} name a Redis 6.2 or newer, or a Valkey.`)
  }
  if (info.role === 'slave') {
    return failed(name, `${which} answers, as a replica that cannot be written`, `Let ${variable} name the primary.`)
  }
  return ok(name, `${which} answers`)
}

const SAFE: Record<Setting, string> = {
  appendonly: 'Set appendonly yes and appendfsync always.',
  appendfsync: 'Set appendfsync always where no acknowledged entry may be lost.',
  'maxmemory-policy': 'Set maxmemory-policy noeviction; keep the queue apart from a cache (SESSION_REDIS_URL).'
}

/** What a 202 of QUEUE_STORE=redis rests on. */
function judgeDurability(weaknesses: Weakness[]): Check[] {
  const name = 'redis durability'
  if (weaknesses.length === 0) return [ok(name, 'appendonly yes, appendfsync always, maxmemory-policy noeviction')]
  return weaknesses.map(({ setting, severity, message }) =>
    (severity === 'error' ? failed : warning)(name, message, SAFE[setting])
  )
}

function said(error: Error): string {
  const { code, message } = error as NodeJS.ErrnoException
  // an AggregateError (every address of a name was tried) has no words of its own
  return [code, message].filter(Boolean).join(': ')
}

function changeFor(error: Error, variable: string): string {
  if (/NOAUTH|WRONGPASS|NOPERM|invalid password/i.test(error.message)) {
    return `Put the user and password into ${variable} (redis://user:password@host:port), and let that user run PING.`
  }
  if (/CERT|SELF_SIGNED|ISSUER|ALTNAME/.test((error as NodeJS.ErrnoException).code ?? '')) {
    return `Let ${variable} name the host as its certificate does; name a certificate authority of your own by NODE_EXTRA_CA_CERTS. Verification cannot be turned off.`
  }
  return `Let ${variable} name a Redis that this machine can reach; rediss:// where it speaks TLS.`
}
