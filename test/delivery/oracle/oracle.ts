import { type LogtrailOptions, makeKey, startLogtrail } from '../../helper/logtrail/logtrail.js'
import { namings } from '../naming.js'
import { createRandom } from '../random.js'

/** Whatever takes entries from users and brings them to Logtrail, and can be killed: a process. */
export interface Target {
  /** Starts it, or starts it again on the same queue. */
  start(upstream: { url: string; keys: string[] }): Promise<void>
  /** Resolves with true once the entries are acknowledged, false where nobody knows. */
  deliver(user: string, ids: string[]): Promise<boolean>
  /** The key file changes. */
  rotate(keys: string[]): Promise<void>
  /** SIGKILL. */
  kill(): Promise<void>
  /** How many entries wait. */
  waiting(): Promise<number>
  /** SIGTERM; what it counted since its last start. */
  stop(): Promise<Books>
  /** Ids of the dead letters, and how many entries wait; once it is stopped. */
  inspect(): Promise<{ dead: string[]; waiting: number }>
}

export interface Books {
  received: number
  inherited: number
  delivered: number
  waiting: number
  rejected: number
  deadLetters: number
}

export interface OracleOptions {
  seed: number
  /** How long users write, in seconds. */
  seconds: number
  kills: number
  users?: number
  /** Share of requests that meet a fault. */
  faults?: number
  /** Share of entries that Logtrail refuses, although they are valid. */
  bad?: number
  upstream?: LogtrailOptions
  /** Seconds in which everything must have left once the faults stop. */
  patience?: number
  /**
   * Whose order is looked at: of all that was stored, or of what was acknowledged. A Redis that stands still may take up what
   * nobody waits for any more after what came later.
   */
  order?: 'stored' | 'acknowledged'
}

export interface Findings {
  acknowledged: number
  unknown: number
  stored: number
  duplicates: number
  requests: number
  answers: Record<string, number>
  dead: number
  kills: number
  /** Acknowledged, neither stored nor dead. Must be empty, as all below. */
  lost: string[]
  /** Good entries among the dead letters. */
  buriedAlive: string[]
  /** Bad entries that were stored. */
  impossible: string[]
  /** Ids first stored after a newer one of their user. */
  outOfOrder: string[]
  waiting: number
  /** Of the last run. */
  books: Books
  /** What has come in less what has gone out, and waits: 0. */
  difference: number
}

/** Seconds for which users write as fast as they can; in longer runs they write as much in all. */
const PACED = 120
const LEAST_KILLS = 3
const MAX_BATCH = 50

const isBad = (id: string) => id.endsWith('!')

/**
 * Many users write one entry after the other, or a few at once, while the upstream fails at random, keys change and the
 * target is killed. Each user waits for the acknowledgement, so that the order is known. Then the faults stop, and everything
 * that was acknowledged must be at the stand-in or be a dead letter.
 */
export async function consult(target: Target, options: OracleOptions): Promise<Findings> {
  const { seed, seconds, kills, users = 30, faults = 0.25, bad = 0.01, patience = 300, order = 'stored' } = options
  const random = createRandom(seed)
  const keys = [makeKey(), makeKey()]
  const logtrail = await startLogtrail({
    keys: [...keys],
    limits: { requestsPerMinute: 6000, logsPerMonth: Number.MAX_SAFE_INTEGER, maxBatch: MAX_BATCH },
    refuse: entry =>
      isBad((entry.metadata as { id: string }).id) ? { field: 'metadata', message: 'is bad' } : undefined,
    faultMix: { seed, share: faults },
    keep: 'ids',
    ...options.upstream
  })
  const acknowledged: string[] = []
  let unknown = 0
  let writing = true
  const ends = performance.now() + seconds * 1000
  // An hour's ids are kept, as a minute's are.
  const slower = Math.max(1, seconds / PACED)
  let killed = 0
  const ways = Object.values(namings)
  /** In half of the runs names are true, or missing: then good entries keep their order around bad ones too. */
  const misnames = random() < 0.5
  const bads = new Set<string>()

  async function write(user: number): Promise<void> {
    for (let n = 0; writing; ) {
      const count = random() < 0.8 ? 1 : 1 + Math.floor(random() * 12)
      const ids = Array.from({ length: count }, () => `${user}-${n++}${random() < bad ? '!' : ''}`)
      for (const id of ids.filter(isBad)) bads.add(id)
      if (await target.deliver(`u:${user}`, ids)) acknowledged.push(...ids)
      else unknown += count
      await pause(random() * 40 * slower)
    }
  }

  async function disturb(): Promise<void> {
    // A start takes as long as the machine lets it: there may not be the time for all.
    for (let i = 0; i < kills && (i < LEAST_KILLS || performance.now() < ends); i++) {
      await pause((seconds * 1000 * (0.5 + random())) / (kills + 1))
      switch (i % 4) {
        case 0: {
          logtrail.switches.tellWhich = random() < 0.5
          const how = ways[Math.floor(random() * ways.length)]!
          if (misnames) logtrail.switches.naming = (...bad) => how(...bad, random)
          break
        }
        case 1: {
          await logtrail.down()
          await pause(random() * 1500)
          await logtrail.up()
          break
        }
        case 2: {
          // The first key is revoked; the second is there. Then a new pair comes, by the key file.
          const next = makeKey()
          logtrail.addKey(next)
          logtrail.revokeKey(keys[0]!)
          keys.splice(0, 2, keys[1]!, next)
          await pause(random() * 500)
          await target.rotate(keys)
          break
        }
      }
      await target.kill()
      killed++
      await target.start({ url: logtrail.url, keys })
    }
    await pause(Math.max(0, ends - performance.now()))
    writing = false
  }

  try {
    await target.start({ url: logtrail.url, keys })
    await Promise.all([disturb(), ...Array.from({ length: users }, (_, user) => write(user))])
    logtrail.faults.clear()
    const due = acknowledged.filter(id => !isBad(id))
    const until = performance.now() + patience * 1000
    let stored = 0
    const all = (ids: ReadonlyMap<string, number>) => {
      while (stored < due.length && ids.has(due[stored]!)) stored++
      return stored === due.length
    }
    await logtrail.waitFor(({ ids }) => all(ids), patience * 1000).catch(() => {})
    while (performance.now() < until && (await target.waiting()) > 0) await pause(100)
    const books = await target.stop()
    const { dead, waiting } = await target.inspect()
    const deadSet = new Set(dead)
    const known = new Set(acknowledged)
    const { received, inherited, delivered, rejected, deadLetters } = books
    return {
      acknowledged: acknowledged.length,
      unknown,
      stored: logtrail.ids.size,
      duplicates: [...logtrail.ids.values()].reduce((sum, times) => sum + times - 1, 0),
      requests: logtrail.stats.requests,
      answers: { ...logtrail.stats.answers },
      dead: dead.length,
      kills: killed,
      lost: acknowledged.filter(id => !logtrail.ids.has(id) && !deadSet.has(id)),
      buriedAlive: dead.filter(id => !isBad(id)),
      impossible: [...logtrail.ids.keys()].filter(isBad),
      outOfOrder: outOfOrder(
        [...logtrail.ids.keys()].filter(id => order === 'stored' || known.has(id)),
        misnames ? bads : new Set()
      ),
      waiting,
      books,
      difference: received + inherited - delivered - books.waiting - rejected - deadLetters
    }
  } finally {
    writing = false
    await logtrail.close()
  }
}

/** @param around entries around which order may be lost: within a batch of one of them */
function outOfOrder(ids: readonly string[], around: ReadonlySet<string>): string[] {
  const last = new Map<string, number>()
  return ids.filter(id => {
    const [user, text] = id.split('-') as [string, string]
    const n = Number(text)
    const before = last.get(user) ?? -1
    last.set(user, Math.max(before, n))
    if (n > before) return false
    for (let near = n - MAX_BATCH; near < n + MAX_BATCH; near++) if (around.has(`${user}-${near}!`)) return false
    return true
  })
}

function pause(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
