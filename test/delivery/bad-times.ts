import { type UpstreamAnswer, UpstreamFault } from '../../src/logtrail/client.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { EntryId, Outbox } from '../../src/outbox/outbox.js'
import { createBucket } from '../helper/logtrail/bucket.js'
import type { Naming } from './naming.js'
import { createRandom } from './random.js'
import { createRig } from './rig.js'
import { type Answer, answer, entry, refused, type Sent, taken, timedOut } from './upstream.js'

/** Of one request to Logtrail, as LOGTRAIL_TIMEOUT's default. */
export const TIMEOUT = 10_000

export interface BadTimes {
  seed: number
  requestsPerMinute: number
  maxBatch: number
  /** Share of requests that meet a fault until the good times begin. */
  faults: number
  badSeconds: number
  users: number
  entries: number
  /** Users whose first entry Logtrail stumbles over, always. */
  poison?: number
  /** Share of entries that Logtrail refuses, and which it names then. */
  refused?: number
  naming?: Naming
}

export interface Outcome {
  /** Seconds of good times until the last good entry was delivered; undefined where the time did not suffice. */
  emptied: number | undefined
  /** Entries that Logtrail refuses; and ids that became something else than they should. */
  bad: number
  wrong: string[]
  /** Entries that waited as the good times began. */
  left: number
  /** Ids that came after a later one of their user, where none of the user's is refused. */
  outOfOrder: string[]
  /** 429 of Logtrail's own bucket, not of the faults. */
  limited: number
  /** Requests in the good times, and those of them that met a poison entry. */
  requests: number
  stumbled: number
  states: (string | null)[]
}

/**
 * Users write while Logtrail fails at random, in every way in which it can; then nothing is wrong any more. All from a
 * seed, by a clock that is turned: a store that answers later, answers that take their time, Logtrail's own bucket.
 */
export async function simulate(times: BadTimes, patience: number): Promise<Outcome> {
  const {
    seed,
    requestsPerMinute,
    maxBatch,
    faults,
    badSeconds,
    users,
    entries,
    poison = 0,
    refused: share = 0
  } = times
  const random = createRandom(seed)
  const memory = createMemoryOutbox({ maxEntries: 1_000_000 })
  const rig = createRig({
    requestsPerMinute,
    maxBatch,
    random,
    cold: true,
    outbox: { ...memory, claim: later(memory.claim) } as Outbox
  })
  const { clock, upstream, sender, states, delivered } = rig
  const bucket = createBucket(requestsPerMinute, clock.now)
  const stored = new Map<string, number>()
  const refusable = new Set<string>()
  const spoilt = new Set<string>()
  const outOfOrder: string[] = []
  let bad = true
  let limited = 0
  let requests = 0
  let stumbled = 0

  function later<R>(ask: (...args: never[]) => R): (...args: never[]) => Promise<R> {
    return async (...args) => {
      await wait(random() < 0.5 ? 1 : random() * 50)
      return ask(...args)
    }
  }

  const wait = (ms: number) => new Promise<void>(resolve => void clock.setTimeout(resolve, ms))

  function store({ ids }: Sent): void {
    for (const id of ids) {
      const [user, n] = id.split('-') as [string, string]
      const last = stored.get(user) ?? -1
      if (Number(n) > last + 1 && !spoilt.has(user)) outOfOrder.push(id)
      stored.set(user, Math.max(last, Number(n)))
    }
  }

  function refuse({ ids }: Sent, wrong: readonly number[], headers: UpstreamAnswer['headers']): Answer {
    const named = ids.length === 1 ? [] : (times.naming?.(wrong, ids.length, random) ?? [])
    const errors = named.map(log_index => ({ log_index, field: 'metadata', message: 'is bad' }))
    return { ...refused(errors), headers }
  }

  function serve(sent: Sent): Answer {
    const { allowed, limit, remaining, retryAfter } = bucket.take()
    const headers = { 'x-ratelimit-limit': `${limit}`, 'x-ratelimit-remaining': `${remaining}` }
    const broken = new UpstreamFault('broken', 'ECONNRESET', 'reset')
    if (!allowed) {
      limited++
      return answer(429, {}, { ...headers, retryAfter: `${retryAfter}` })
    }
    const isPoison = (id: string) => id.endsWith('-0') && Number(id.slice(1, -2)) < poison
    if (sent.ids.some(isPoison)) {
      if (!bad) stumbled++
      return answer(500, {}, headers)
    }
    const wrong = sent.ids.flatMap((id, index) => (refusable.has(id) ? [index] : []))
    if (!bad || random() >= faults) {
      if (wrong.length > 0) return refuse(sent, wrong, headers)
      store(sent)
      return taken(headers)
    }
    switch (Math.floor(random() * 9)) {
      case 0:
        return answer(429, {}, headers)
      case 1:
        return answer(429, {}, { ...headers, retryAfter: `${1 + Math.floor(random() * 20)}` })
      case 2:
        return answer(500, {}, headers)
      case 3:
        return answer(503, '<html>')
      case 4:
        return answer(408)
      case 5:
        return broken
      case 6:
        if (wrong.length === 0) store(sent)
        return broken
      case 7:
        if (wrong.length === 0) store(sent)
        return timedOut()
      default:
        return timedOut()
    }
  }

  upstream.respond = sent => {
    if (!bad) requests++
    return (async () => {
      const latency = 20 + random() * 300
      await wait(latency / 2)
      const said = serve(sent)
      const silent = said instanceof UpstreamFault && said.code === timedOut().code
      await wait(silent ? TIMEOUT : latency / 2)
      if (said instanceof Error) throw said
      return said
    })()
  }

  sender.start()
  const names = new Map<EntryId, string>()
  const next = Array.from({ length: users }, () => 0)
  for (let n = 0; n < entries; n++) {
    const user = Math.floor(random() * users)
    const id = `u${user}-${next[user]!++}`
    if (share > 0 && random() < share) {
      refusable.add(id)
      spoilt.add(`u${user}`)
    }
    const [number] = memory.append([{ user: `u${user}`, body: entry(id) }])
    names.set(number!, id)
    if (n % 10 === 9) await clock.advance((badSeconds * 10_000) / entries)
  }
  const held = () => next.reduce((sum, count, user) => sum + (user < poison ? count : 0), 0)
  const left = memory.stats().waiting
  bad = false
  let emptied: number | undefined
  for (let second = 1; second <= patience && emptied === undefined; second++) {
    await clock.advance(1000)
    if (delivered() >= entries - held() - refusable.size && rig.buried.length >= refusable.size) emptied = second
  }
  const wrong = [...rig.outcomes].flatMap(([number, outcome]) => {
    const id = names.get(number)!
    return (outcome === 'delivered') === refusable.has(id) ? [id] : []
  })
  return { bad: refusable.size, wrong, emptied, left, outOfOrder, limited, requests, stumbled, states }
}
