import type { Engine } from './engine.js'
import type { FairIndex } from './fair-index.js'
import type { ClaimBounds, Claimed, EntryId, NewEntry } from './outbox.js'
import type { PassingMap } from './passing-map.js'
import type { Recent } from './recent.js'
import { readWaitingValue } from './records.js'

export interface ClaimingOptions {
  engine: Engine
  index: FairIndex
  recent: Recent
  /** Rows of what is claimed, by sequence. */
  claims: PassingMap<number>
  keyOf: (row: number) => Buffer
  /** Takes claimed entries that cannot be read out of the queue. */
  buryDamaged: (rows: number[]) => Promise<void>
  release: (ids: readonly EntryId[]) => void
}

/** How entries of the disk store are claimed: at once where they came a moment ago, otherwise read from the disk. */
export function createClaiming(options: ClaimingOptions) {
  const { engine, index, recent, claims, keyOf, buryDamaged, release } = options

  function claim(row: number, { user, body }: NewEntry): Claimed {
    const id = index.sequence[row] as number
    claims.set(id, row)
    return { id, user, body, receivedAt: index.receivedAt[row] as number }
  }

  /** @param missing places in `rows` of those that are to be read */
  async function complete(claimed: Claimed[], rows: number[], missing: number[]): Promise<Claimed[]> {
    const values = await engine.read(missing.map(i => keyOf(rows[i] as number)))
    if (values === undefined) {
      // All of them, or a user's later entries would go before the earlier ones.
      release(claimed.filter(Boolean).map(({ id }) => id))
      index.giveBack(missing.map(i => rows[i] as number))
      return []
    }
    const lost: number[] = []
    for (const [n, i] of missing.entries()) {
      const row = rows[i] as number
      const value = values[n]
      if (value === undefined) lost.push(row)
      else claimed[i] = claim(row, readWaitingValue(value))
    }
    if (lost.length === 0) return claimed
    await buryDamaged(lost)
    return claimed.filter(Boolean)
  }

  return (max: ClaimBounds): Claimed[] | Promise<Claimed[]> => {
    if (index.count === index.claimed) return []
    const rows = index.take(max.entries, max.bytes)
    const claimed = new Array<Claimed>(rows.length)
    const missing: number[] = []
    for (let i = 0; i < rows.length; i++) {
      const row = rows[i] as number
      const entry = recent.take(index.sequence[row] as number)
      if (entry === undefined) missing.push(i)
      else claimed[i] = claim(row, entry)
    }
    return missing.length === 0 ? claimed : complete(claimed, rows, missing)
  }
}
