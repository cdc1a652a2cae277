import type { FastifyRequest } from 'fastify'
import type { LimitCode, LimitSettings, Limits, Sender, Standing } from './limits.js'

/** What is asked of Redis: to run {@link COUNT_SCRIPT} with three keys and five arguments. */
export interface Counting {
  run(keys: readonly [string, string, string], args: readonly number[]): Promise<unknown>
  /** Whether asking is of any use at the moment. */
  ready(): boolean
}

export interface SharedLimitsOptions {
  redis: Counting
  settings: LimitSettings
  /** Each replica's own counting, which goes on all the time: it answers before a body is read, and while Redis is away. */
  local: Limits
  /** A user's name in Redis: a keyed digest, so that Redis holds nobody's id. */
  digest: (userId: string) => string
  /** Longest that a request waits for Redis, ms. */
  patience?: number
  /** After that Redis is left alone for so long, ms. */
  rest?: number
  /** Told once when each replica begins to count for itself, and once (null) when they count together again. */
  onFallback: (reason: string | null) => void
  now?: () => number
}

/**
 * Counts a request of an address, a request of a user and so many entries, in fixed windows, in one go. Entries count all
 * or none. KEYS: address, requests, entries. ARGV: window in ms, then the maxima of the three (0: off), then the number of
 * entries. Returns count and ms left for each, and whether the entries were counted.
 */
export const COUNT_SCRIPT = `
local window = tonumber(ARGV[1])
local function add(key, max, by)
  if max == 0 then return 0, 0 end
  local count = redis.call('INCRBY', key, by)
  local left = redis.call('PTTL', key)
  if left < 0 then
    redis.call('PEXPIRE', key, window)
    left = window
  end
  return count, left
end
local address, addressLeft = add(KEYS[1], tonumber(ARGV[2]), 1)
local requests, requestsLeft = add(KEYS[2], tonumber(ARGV[3]), 1)
local max, by = tonumber(ARGV[4]), tonumber(ARGV[5])
local taken, entries, entriesLeft = 1, 0, 0
if max > 0 and by > 0 then
  local before = tonumber(redis.call('GET', KEYS[3]) or '0')
  if before + by > max then
    taken, entries = 0, before
    entriesLeft = redis.call('PTTL', KEYS[3])
    if entriesLeft < 0 then entriesLeft = window end
  elseif (tonumber(ARGV[2]) == 0 or address <= tonumber(ARGV[2])) and (tonumber(ARGV[3]) == 0 or requests <= tonumber(ARGV[3])) then
    entries, entriesLeft = add(KEYS[3], max, by)
  end
end
return {address, addressLeft, requests, requestsLeft, entries, entriesLeft, taken}
`

const PREFIX = 'logtrail-bff:limit'
/** Senders that are known to be over a shared limit: they are refused before their bodies are read. */
const MAX_KNOWN = 10_000

/**
 * The limits over all replicas, in Redis, with one round trip for a request: where its entries are known. Until then the
 * replica's own counts, and what Redis has said of the sender before, refuse. Redis slow or away: the replica's own counts
 * alone, so a limit never opens and a browser never sees an error of Redis.
 */
export function createSharedLimits(options: SharedLimitsOptions): Limits {
  const { redis, settings, local, digest, onFallback, patience = 200, rest = 1000, now = Date.now } = options
  /** Until when a sender is over a limit, by the key of that limit. */
  const over = new Map<string, number>()
  let restUntil = 0
  let fallen = false

  function keysOf({ addressKey, userId }: Sender): [string, string, string] {
    const who = userId === undefined ? `a:${addressKey}` : `u:${digest(userId)}`
    return [`${PREFIX}:address:${addressKey}`, `${PREFIX}:requests:${who}`, `${PREFIX}:entries:${who}`]
  }

  function maximaOf({ userId, spared }: Sender): [number, number, number] {
    const address = spared ? 0 : settings.address
    return userId === undefined
      ? [address, settings.anonymousRequests, settings.anonymousEntries]
      : [address, settings.userRequests, settings.userEntries]
  }

  function standing(limit: number, count: number, left: number, exceeded: boolean): Standing {
    return {
      limit,
      remaining: Math.max(0, limit - count),
      reset: Math.ceil((now() + left) / 1000),
      retryAfter: Math.max(1, Math.ceil(left / 1000)),
      exceeded
    }
  }

  /** Refuses who was over the limit when Redis last said so, for as long as that window lasts. */
  function known(key: string, limit: number): Standing | undefined {
    const until = over.get(key)
    if (until === undefined) return undefined
    const left = until - now()
    if (left > 0) return standing(limit, limit, left, true)
    over.delete(key)
    return undefined
  }

  function remember(key: string, left: number): void {
    if (over.size >= MAX_KNOWN) over.delete(over.keys().next().value as string)
    over.set(key, now() + left)
  }

  function fall(reason: string): void {
    restUntil = now() + rest
    if (fallen) return
    fallen = true
    onFallback(reason)
  }

  /** Undefined: Redis does not answer in time. */
  async function ask(sender: Sender, entries: number): Promise<number[] | undefined> {
    if (now() < restUntil) return undefined
    if (!redis.ready()) {
      fall('Redis is away')
      return undefined
    }
    let timer: NodeJS.Timeout | undefined
    let answer: number[] | undefined
    let fault = `Redis did not answer within ${patience} ms`
    try {
      const asked = redis.run(keysOf(sender), [settings.window, ...maximaOf(sender), entries])
      const late = new Promise<undefined>(resolve => {
        timer = setTimeout(() => resolve(undefined), patience)
      })
      // when it is late, whatever becomes of it then is of no interest
      asked.catch(() => {})
      answer = (await Promise.race([asked, late])) as number[] | undefined
    } catch {
      fault = 'Redis failed'
    }
    clearTimeout(timer)
    if (answer === undefined) fall(fault)
    else if (fallen) {
      fallen = false
      onFallback(null)
    }
    return answer
  }

  return {
    async address(request: FastifyRequest, sender: Sender) {
      const own = await local.address(request, sender)
      return (own?.exceeded ? own : undefined) ?? known(keysOf(sender)[0], settings.address) ?? own
    },
    request(sender) {
      const own = local.request(sender)
      return (own?.exceeded ? own : undefined) ?? known(keysOf(sender)[1], maximaOf(sender)[1]) ?? own
    },
    async entries(sender, entries) {
      // throws for more than a window allows; and counts on this replica whatever Redis says
      const own = await local.entries(sender, entries)
      const answer = await ask(sender, entries)
      if (answer === undefined) return own
      const [address, addressLeft, requests, requestsLeft, count, left, taken] = answer as [
        number,
        number,
        number,
        number,
        number,
        number,
        number
      ]
      const keys = keysOf(sender)
      const [addressMax, requestsMax, entriesMax] = maximaOf(sender)
      const refuse = (code: LimitCode, key: string, max: number, n: number, ms: number): Standing => {
        remember(key, ms)
        return { ...standing(max, n, ms, true), code }
      }
      const anonymous = sender.userId === undefined
      if (addressMax > 0 && address > addressMax) {
        return refuse('RATE_LIMIT_IP_EXCEEDED', keys[0], addressMax, address, addressLeft)
      }
      if (requestsMax > 0 && requests > requestsMax) {
        const code = anonymous ? 'RATE_LIMIT_ANONYMOUS_EXCEEDED' : 'RATE_LIMIT_USER_EXCEEDED'
        return refuse(code, keys[1], requestsMax, requests, requestsLeft)
      }
      if (taken === 0) return standing(entriesMax, count, left, true)
      if (own?.exceeded) return own
      const shared = entriesMax > 0 ? standing(entriesMax, count, left, false) : standing(0, 0, 0, false)
      return requestsMax > 0
        ? { ...shared, requests: standing(requestsMax, requests, requestsLeft, false) }
        : entriesMax > 0
          ? shared
          : null
    },
    // a request that was refused before its entries were known counts all the same, without anybody waiting for it
    uncounted(sender) {
      ask(sender, 0).then(answer => {
        const [addressMax] = maximaOf(sender)
        if (answer && addressMax > 0 && answer[0]! > addressMax) remember(keysOf(sender)[0], answer[1]!)
      })
    }
  }
}
