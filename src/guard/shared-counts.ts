/**
 * Counting in Redis, for all that comes in one turn of the event loop in one go. Redis slow or away: nothing is counted there for
 * a while, and nobody waits for it.
 */
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
      taken, entries = 0, before
      entriesLeft = redis.call('PTTL', KEYS[3 * i + 3])
      if entriesLeft < 0 then entriesLeft = window end
    elseif (byAddress == 0 or address <= byAddress) and (byUser == 0 or requests <= byUser) then
      entries, entriesLeft = add(KEYS[3 * i + 3], max, by)
    end
  end
  local said = { address, addressLeft, requests, requestsLeft, entries, entriesLeft, taken }
  for n = 1, 7 do answer[7 * i + n] = said[n] end
end
return answer
`

/** Requests of one turn of the event loop are asked about together, at most so many: Redis does nothing else meanwhile. */
const MOST_TOGETHER = 50
/** Numbers that Redis answers for each request. */
const ANSWERS = 7
/** Of address, requests and entries. */
export type Keys = [string, string, string]
export type Maxima = [number, number, number]
/** Count and milliseconds left of the three, and whether the entries were counted. */
export type Answers = [number, number, number, number, number, number, number]

interface Question {
  keys: string[]
  args: number[]
  requests: number
  answer: Promise<number[] | undefined>
  send: () => void
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
  now: () => number
}

/** @returns counts a request; undefined, at once or later, where Redis is away or does not answer in time */
export function createSharedCounts({ redis, window, patience, rest, onFallback, now }: SharedCountsOptions) {
  let open: Question | undefined
  let restUntil = 0
  let fallen = false

  function fall(reason: string): void {
    restUntil = now() + rest
    if (fallen) return
    fallen = true
    onFallback(reason)
  }

  function begin(): Question {
    let done: (answer: number[] | undefined) => void
    const answer = new Promise<number[] | undefined>(resolve => {
      done = resolve
    })
    const question: Question = { keys: [], args: [window], requests: 0, answer, send }
    function send(): void {
      if (open !== question) return
      open = undefined
      let over = false
      /** The first of answer, failure and lateness counts. */
      const end = (what: () => number[] | undefined): void => {
        if (over) return
        over = true
        clearTimeout(timer)
        done(what())
      }
      const failed = (reason: string) => () => void fall(reason) as undefined
      const timer = setTimeout(() => end(failed(`Redis did not answer within ${patience} ms`)), patience)
      redis.run(question.keys, question.args).then(
        answer =>
          end(() => {
            if (fallen) onFallback(null)
            fallen = false
            return answer as number[]
          }),
        () => end(failed('Redis failed'))
      )
    }
    setImmediate(send)
    return question
  }

  return function count(keys: Keys, maxima: Maxima, entries: number): Promise<Answers | undefined> | undefined {
    if (now() < restUntil) return undefined
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
  }
}
