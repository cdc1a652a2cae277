/** What is asked of Redis: to run {@link COUNT_SCRIPT}. */
export interface Counting {
  run(keys: readonly string[], args: readonly number[]): Promise<unknown>
  /** Whether asking is of any use at the moment. */
  ready(): boolean
}

/**
 * For each request: counts it for its address and for its user, and so many entries, in fixed windows. Entries count all or none.
 * KEYS, three for each: address, requests, entries. ARGV: the window in ms, then four for each, the maxima of the three (0: off)
 * and the number of entries. Returns seven for each: count and ms left of the three, and whether the entries were counted.
 * Redis knows of a key the date at which it ends: after a jump of its clock a key would last longer than a window.
 */
export const COUNT_SCRIPT = `
local window = tonumber(ARGV[1])
local function leftOf(key)
  local left = redis.call('PTTL', key)
  if left >= 0 and left <= window then return left end
  redis.call('PEXPIRE', key, window)
  return window
end
local function add(key, max, by)
  if max == 0 then return 0, 0 end
  local count = redis.call('INCRBY', key, by)
  return count, leftOf(key)
end
local answer = {}
for i = 0, #KEYS / 3 - 1 do
  local byAddress, byUser, max, by =
    tonumber(ARGV[4 * i + 2]), tonumber(ARGV[4 * i + 3]), tonumber(ARGV[4 * i + 4]), tonumber(ARGV[4 * i + 5])
  local address, addressLeft = add(KEYS[3 * i + 1], byAddress, 1)
  local requests, requestsLeft = add(KEYS[3 * i + 2], byUser, 1)
  local taken, entries, entriesLeft = 1, 0, 0
  if max > 0 and by > 0 then
    local before = tonumber(redis.call('GET', KEYS[3 * i + 3]) or '0')
    if before + by > max then
      taken, entries, entriesLeft = 0, before, leftOf(KEYS[3 * i + 3])
    elseif (byAddress == 0 or address <= byAddress) and (byUser == 0 or requests <= byUser) then
      entries, entriesLeft = add(KEYS[3 * i + 3], max, by)
    end
  end
  local said = { address, addressLeft, requests, requestsLeft, entries, entriesLeft, taken }
  for n = 1, 7 do answer[7 * i + n] = said[n] end
end
return answer
`

/** At most so many requests are asked about together: Redis does nothing else meanwhile. */
const MOST_TOGETHER = 50
/** Numbers that Redis answers for each request. */
const ANSWERS = 7
/** Of address, requests and entries. */
export type Keys = [string, string, string]
export type Maxima = [number, number, number]
/** Count and milliseconds left of the three, and whether the entries were counted. */
export type Answers = [number, number, number, number, number, number, number]

/** Whatever answers in the place of Redis, a proxy or a script of the same name, may answer anything. */
function isAnswer(said: unknown, requests: number): said is number[] {
  return Array.isArray(said) && said.length === ANSWERS * requests && said.every(Number.isSafeInteger)
}

interface Question {
  keys: string[]
  args: number[]
  requests: number
  answer: Promise<number[] | undefined>
  send(): void
  end(said: undefined, fault: string): void
}

export interface SharedCounts {
  /** Counts a request; undefined, at once or later, where Redis does not say. */
  count(keys: Keys, maxima: Maxima, entries: number): Promise<Answers | undefined> | undefined
  /** Whether Redis would not be asked at the moment. */
  rests(): boolean
}

export interface SharedCountsOptions {
  redis: Counting
  /** Length of the windows in ms. */
  window: number
  /** Longest that a request waits for Redis, ms. */
  patience: number
  /** After that Redis is left alone for so long, ms. */
  rest: number
  /** Told once when Redis does not count, and once (null) when it does again. */
  onFallback: (reason: string | null) => void
  /** ms of a clock that only goes forward. */
  now: () => number
}

/**
 * Counting in Redis. A call costs this process as much as ten requests that share it: so all that comes in one turn of the event
 * loop, or while a call is under way, is asked about together. Redis slow or away: nothing is counted there for a while, and
 * nobody waits for it.
 */
export function createSharedCounts(options: SharedCountsOptions): SharedCounts {
  const { redis, window, patience, rest, onFallback, now } = options
  let open: Question | undefined
  let underWay = 0
  let restUntil = 0
  let fallen = false

  function fall(reason: string): void {
    restUntil = now() + rest
    if (fallen) return
    fallen = true
    onFallback(reason)
  }

  function begin(): Question {
    let settle: (answer: number[] | undefined) => void
    let over = false
    const answer = new Promise<number[] | undefined>(resolve => {
      settle = resolve
    })
    const question: Question = { keys: [], args: [window], requests: 0, answer, send, end }
    // where this process itself was late its timers come first: an answer that is there already is read in between
    const late = () => setImmediate(() => end(undefined, `Redis did not answer within ${patience} ms`))
    const timer = setTimeout(late, patience)

    function send(): void {
      if (open !== question) return
      open = undefined
      underWay++
      redis.run(question.keys, question.args).then(
        said => (isAnswer(said, question.requests) ? end(said) : end(undefined, 'Redis failed')),
        () => end(undefined, 'Redis failed')
      )
    }

    /** The first of answer, failure and lateness counts. */
    function end(said: number[] | undefined, fault?: string): void {
      if (over) return
      over = true
      clearTimeout(timer)
      if (open === question) open = undefined
      else underWay--
      if (fault !== undefined) fall(fault)
      else if (fallen) {
        fallen = false
        onFallback(null)
      }
      settle(said)
      // who came meanwhile: neither do they wait for a Redis that does not answer
      if (fault === undefined) open?.send()
      else open?.end(undefined, fault)
    }

    if (underWay === 0) setImmediate(send)
    return question
  }

  function leftAlone(): boolean {
    return fallen && now() < restUntil
  }

  return {
    count(keys, maxima, entries) {
      if (leftAlone()) return undefined
      if (!redis.ready()) {
        fall('Redis is away')
        return undefined
      }
      open ??= begin()
      const { answer, send } = open
      const from = ANSWERS * open.requests++
      open.keys.push(...keys)
      open.args.push(...maxima, entries)
      if (open.requests === MOST_TOGETHER) send()
      return answer.then(all => all?.slice(from, from + ANSWERS) as Answers | undefined)
    },
    rests: () => leftAlone() || !redis.ready()
  }
}
