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
  const { Redis } = (await import('ioredis')).default
  const redis = new Redis(url, {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    commandTimeout: timeoutMs,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
    // NODE_TLS_REJECT_UNAUTHORIZED=0 would turn verification off for everything that does not say so
    ...(url.startsWith('rediss:') ? { tls: { rejectUnauthorized: true } } : {})
  })
  let lost: Error | undefined
  redis.on('error', error => {
    lost ??= error
  })
  return ask()
    .catch((error: Error) => {
      // what the server or the network said; "Connection is closed." alone helps nobody
      const cause = lost ?? error
      return [failed(name, `no answer: ${said(cause)}`, changeFor(cause, variable))]
    })
    .finally(() => redis.disconnect())

  async function ask(): Promise<Check[]> {
    await redis.connect()
    await redis.ping()
    const info = await redis.info().catch(() => '')
    const found = [judgeServer(name, variable, readInfo(info))]
    if (keepsQueue) found.push(await judgeDurability(readInfo(info), setting => config(setting)))
    return found
  }

  /** @returns undefined where the user or the service does not allow CONFIG */
  async function config(setting: string): Promise<string | undefined> {
    try {
      const [, value] = (await redis.config('GET', setting)) as string[]
      return value
    } catch {
      return undefined
    }
  }
}

type Info = Record<string, string>

function readInfo(text: string): Info {
  return Object.fromEntries([...text.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value]) => [name!, value!]))
}

function judgeServer(name: string, variable: string, info: Info): Check {
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

/** What a 202 of QUEUE_STORE=redis rests on. */
async function judgeDurability(info: Info, config: (setting: string) => Promise<string | undefined>): Promise<Check> {
  const name = 'redis durability'
  const fromInfo = info.aof_enabled === undefined ? undefined : info.aof_enabled === '1' ? 'yes' : 'no'
  const [appendonly = fromInfo, appendfsync, policy = info.maxmemory_policy] = await Promise.all([
    config('appendonly'),
    config('appendfsync'),
    config('maxmemory-policy')
  ])
  if (policy !== undefined && policy !== 'noeviction') {
    const message = `maxmemory-policy is ${policy}: acknowledged entries may be thrown away when memory is short`
    return failed(
      name,
      message,
      'Set maxmemory-policy noeviction; keep the queue apart from a cache (SESSION_REDIS_URL).'
    )
  }
  if (appendonly === 'no') {
    return failed(
      name,
      'appendonly is no: a restart of Redis loses acknowledged entries',
      'Set appendonly yes and appendfsync always (or everysec, where a lost second is bearable).'
    )
  }
  const unknown = Object.entries({ appendonly, appendfsync, 'maxmemory-policy': policy })
    .filter(([, value]) => value === undefined)
    .map(([setting]) => setting)
  if (unknown.length > 0) {
    const change = `See that the service has appendonly yes, appendfsync always or everysec, and maxmemory-policy noeviction.`
    return warning(name, `cannot tell ${unknown.join(', ')}: this user or service does not allow CONFIG GET`, change)
  }
  if (appendfsync !== 'always') {
    const lost =
      appendfsync === 'no' ? 'whatever the system has not written yet' : 'up to a second of acknowledged entries'
    return warning(
      name,
      `appendfsync is ${appendfsync}: a crash of its machine loses ${lost}`,
      'Set appendfsync always where no acknowledged entry may be lost.'
    )
  }
  return ok(name, 'appendonly yes, appendfsync always, maxmemory-policy noeviction')
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
