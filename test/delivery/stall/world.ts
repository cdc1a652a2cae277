import { createBudget } from '../../../src/delivery/budget.js'
import type { Delivery } from '../../../src/delivery/delivery.js'
import { createQueued } from '../../../src/delivery/queued.js'
import { UpstreamFault } from '../../../src/logtrail/client.js'
import type { Outbox } from '../../../src/outbox/outbox.js'
import { createRedisOutbox } from '../../../src/outbox/redis.js'
import { createFakeClock, rest } from '../fake-clock.js'
import { createRandom } from '../random.js'
import { answer, entry, refused, taken } from '../upstream.js'
import { ModelConnection, ModelRedis } from './model-redis.js'
import { Process } from './process.js'

/** How bad the times are. */
export interface Times {
  /** Nothing goes wrong but that all takes its time. */
  calm: boolean
  /** Connections break, again and again, and what was under way comes late. */
  breaking?: boolean
  requestsPerMinute?: number
}

interface Replica {
  process: Process
  connection: ModelConnection
  outbox: Outbox
  delivery: Delivery
  ended: boolean
}

export interface Outcome {
  /** Acknowledged, and has not come. */
  missing: string[]
  /** How many came twice. */
  twice: number
  /** Came before an earlier one of their user. */
  disordered: string[]
  /** What should have been told and was not: see src/delivery/alarm.ts. */
  untold: number
  /** The longest that nothing was sent although something could be, milliseconds; not of bad times. */
  pause: number
  /** From the end of bad times, or the last append, until all was there, milliseconds. */
  after: number
  /** For whoever has to find out why. */
  state(): Record<string, unknown>
}

/** Several replicas of queued delivery over one Redis, of which a seed decides when what happens. */
export async function live(
  seed: number,
  { calm, breaking = false, requestsPerMinute = 1000 }: Times
): Promise<Outcome> {
  const random = createRandom(seed)
  const below = (n: number) => Math.floor(random() * n)
  const clock = createFakeClock()
  const server = new ModelRedis(clock)
  let quiet = calm
  const replicas: Replica[] = []
  const trace: string[] = []
  const note = (what: string) => void trace.push(`${clock.now()} ${what}`)

  const slow = below(3) === 0 ? 400 : 30
  const delay = () => (!quiet && below(60) === 0 ? below(2500) : below(slow))
  const arrivals: string[] = []
  const acknowledged = new Map<string, string[]>()
  const sent = new Set<string>()
  /** When something was sent last, or came that could be. */
  let since = 0
  let pause = 0
  let untold = 0
  const unsent = () => [...acknowledged.values()].flat().filter(id => !sent.has(id)).length
  const bad = new Set<string>()
  let down = false

  function post(process: Process, body: string | Buffer, signal?: AbortSignal): Promise<ReturnType<typeof taken>> {
    const value = JSON.parse(body.toString())
    const ids = (Array.isArray(value) ? value : [value]).map(each => each.id as string)
    return new Promise((resolve, reject) => {
      const fault = (kind: 'timeout' | 'broken') => reject(new UpstreamFault(kind, 'X', kind))
      signal?.addEventListener('abort', () => fault('broken'))
      const fate = quiet ? 0 : below(20)
      if (down || fate === 1) {
        process.hear(() => resolve(answer(503)), delay())
        return
      }
      if (fate === 2) {
        process.hear(() => resolve(answer(429, {}, { retryAfter: '1' } as never)), delay())
        return
      }
      const way = below(100)
      if (quiet && unsent() > 0) pause = Math.max(pause, clock.now() - since)
      since = clock.now()
      for (const id of ids) sent.add(id)
      note(`${replicas.findIndex(each => each.process === process)} posts ${ids}`)
      clock.setTimeout(() => {
        const wrong = ids.flatMap((id, index) => (bad.has(id) ? [index] : []))
        if (wrong.length > 0) {
          const errors = wrong.map(index => ({ log_index: index, field: 'id', message: 'bad' }))
          process.hear(() => resolve(refused(errors)), delay())
          return
        }
        arrivals.push(...ids)
        if (fate === 3) process.hear(() => fault('timeout'), 2000)
        else process.hear(() => resolve(taken()), delay())
      }, way)
    })
  }

  async function join(): Promise<Replica> {
    const process = new Process(clock)
    const connection = new ModelConnection({
      clock,
      process,
      server,
      delay,
      timeout: 1000,
      stray: () => (breaking || below(2) === 0 ? below(3000) : undefined)
    })
    const outbox = createRedisOutbox({
      redis: connection.asRedis,
      maxBytes: 1e9,
      now: clock.wall,
      timing: process,
      close: () => connection.disconnect()
    })
    const name = replicas.length
    outbox.onLost?.(() => note(`${name} has lost the lease`))
    const delivery = createQueued({
      outbox,
      client: { post: (_, body, { signal }) => post(process, body, signal) },
      budget: createBudget({ requestsPerMinute, clock: process, random }),
      clock: process,
      maxBatch: 3,
      maxBytes: 10_000,
      maxWait: 1000,
      maxAge: 86_400_000,
      random,
      onFault: error => {
        if (/was not told/.test((error as Error).message)) untold++
      },
      requestId: () => 'a-request'
    })
    const replica: Replica = { process, connection, outbox, delivery, ended: false }
    replicas.push(replica)
    void delivery.start()
    return replica
  }

  const alive = () => replicas.filter(({ ended }) => !ended)
  const one = () => alive()[below(alive().length)]!

  /** Something of what may happen to a replica, to Redis or to Logtrail. */
  function befall(): void {
    const ms = 100 + below(breaking ? 200 : below(3) === 0 ? 9000 : 1500)
    const what = breaking ? 2 : below(8)
    const replica = one()
    const name = replicas.indexOf(replica)
    if (what === 0) {
      note(`${name} stands still for ${ms}`)
      replica.process.standStill(ms)
    } else if (what === 1) {
      note(`Redis stands still for ${ms}`)
      server.frozenUntil = Math.max(server.frozenUntil, clock.now() + ms)
    } else if (what === 2 || what === 3) {
      note(`${name} loses its connection for ${ms}`)
      replica.connection.break(ms)
    } else if (what === 4 && alive().length > 1) {
      note(`${name} is killed`)
      replica.ended = true
      replica.process.dead = true
      void join()
    } else if (what === 5 && alive().length > 1) {
      note(`${name} stops`)
      replica.ended = true
      void replica.delivery.stop(2000)
      void join()
    } else if (what === 6) {
      note(`Logtrail is down for ${ms}`)
      down = true
      clock.setTimeout(() => {
        down = false
      }, ms)
    } else {
      note('the lease is gone')
      server.lease = undefined
    }
  }

  for (let i = 0; i < 2 + below(2); i++) await join()
  await clock.advance(below(2) * 500)

  let lastAppend = 0
  let busy = 0
  const users = 2 + below(5)
  const span = 200 + below(5000)
  for (let user = 0; user < users; user++) {
    const own: string[] = []
    acknowledged.set(`u:${user}`, own)
    let left = 1 + below(7)
    const next = (): void => {
      if (left-- === 0) {
        busy--
        return
      }
      clock.setTimeout(
        () => {
          const ids = Array.from({ length: 1 + below(3) }, (_, i) => `${user}-${left}-${i}`)
          if (!quiet && below(15) === 0) bad.add(ids[0]!)
          const { delivery, process } = one()
          // Whose replica is killed never hears.
          const given = clock.setTimeout(() => heard(false), 20_000)
          let told = false
          const heard = (ok: boolean): void => {
            if (told) return
            told = true
            clock.clearTimeout(given)
            if (process.dead) ok = false
            if (ok) {
              if (unsent() === 0) since = clock.now()
              own.push(...ids)
              lastAppend = clock.now()
            }
            note(`${ids} are ${ok ? 'acknowledged' : 'refused'}`)
            next()
          }
          delivery.deliver({ user: `u:${user}`, entries: ids.map(id => entry(id)), bulk: true }).then(
            () => heard(true),
            () => heard(false)
          )
        },
        below((2 * span) / (left + 1))
      )
    }
    busy++
    next()
  }
  if (!calm) for (let i = breaking ? 12 : below(6); i > 0; i--) clock.setTimeout(befall, below(2 * span))
  while (busy > 0) await clock.advance(50)
  if (!calm) await clock.advance(below(3000))
  quiet = true
  since = clock.now()

  const wanted = [...acknowledged.values()].flat().filter(id => !bad.has(id))
  const missing = () => wanted.filter(id => !arrivals.includes(id))
  const began = calm ? lastAppend : clock.now()
  const bound = calm ? 20_000 : 180_000
  while (missing().length > 0 && clock.now() < began + bound) await clock.advance(50)
  const after = clock.now() - began
  const state = () => ({
    arrivals,
    trace,
    server,
    now: clock.now(),
    replicas: alive().map(({ outbox, connection }) => ({
      ...outbox.stats(),
      holds: outbox.holds?.(),
      status: connection.status
    }))
  })
  const outcome: Outcome = {
    missing: missing(),
    twice: arrivals.length - new Set(arrivals).size,
    disordered: [...acknowledged.values()].flatMap(own => {
      const places = own.filter(id => arrivals.includes(id)).map(id => arrivals.indexOf(id))
      return own.filter((_, i) => i > 0 && places[i]! < places[i - 1]!)
    }),
    after,
    pause,
    untold,
    state
  }
  // What goes on after this is of no interest, and must come to an end.
  for (const { process } of replicas) process.dead = true
  await rest()
  return outcome
}
