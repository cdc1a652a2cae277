import { getHeapStatistics } from 'node:v8'
import { FairIndex } from '../fair-index.js'
import type { ClaimBounds, Claimed, EntryId } from '../outbox.js'
import { queueNumber } from '../users.js'
import { sequenceOf } from './dead-letters.js'
import { OVERHEAD } from './lua.js'
import { type Owner, Owners } from './owners.js'
import type { Scripts } from './scripts.js'

/** What is held here of the stream and could be claimed, at most; the rest waits in Redis. */
const MOST_ENTRIES = 20_000
const MOST_BYTES = 32 * 1024 * 1024
/** With what cannot, since an entry of the same user is claimed: memory has an end. Bytes with those that an entry takes here. */
const HELD_ENTRIES = 200_000
const HELD_BYTES = Math.min(128 * 1024 * 1024, getHeapStatistics().heap_size_limit / 4)
/** On the heap besides the body, as measured. */
const HELD_ENTRY = 300
/** Entries read in one step: some hundred kilobytes. Fewer after one that failed, for it may have been too much. */
const READ = 500

const ADRIFT = -1

interface Claim {
  row: number
  size: number
  /** The replica that it came by. */
  from: string
}

/**
 * The front of the stream, as whoever holds the lease has it in memory: whose entries wait, and whose turn it is.
 *
 * Users take turns within the window. Where one user has filled it, others who came later wait until part of it has gone;
 * the alternative, to know of every entry that waits, is what a disk is for. A user whose entries wait for one that is
 * claimed, and perhaps put aside for days, does not fill it so soon: they count towards a larger bound only.
 *
 * All replicas are one consumer of the group, named by its role: to whom the lease goes, to that one goes what was read
 * before and never settled. It comes first, and in the order of the stream, since an entry that was read is older than
 * any that was not.
 */
export class Window {
  #index = new FairIndex()
  #owners = new Owners()
  #entries: ({ user: string; body: string; from: string; owner: Owner } | undefined)[] = []
  /** Those that this process has claimed; without a row (adrift) while it holds no lease, or has not read them again. */
  #claims = new Map<EntryId, Claim>()
  #lifted = new Set<EntryId>()
  /** Settled here, and not yet in Redis. */
  readonly settled = new Map<EntryId, Pick<Claim, 'size' | 'from'>>()
  settledBytes = 0
  #scripts: Scripts
  #cursor = '0'
  /** Whether there may be more that was read before. */
  #inherited = true
  #count = READ
  /** Which lease the entries were read under; a reply to an older one is of no use. */
  #reading = 0

  #most: number

  /** @param most bytes held, those that cannot be claimed and what each entry takes included */
  constructor(scripts: Scripts, most = HELD_BYTES) {
    this.#scripts = scripts
    this.#most = most
  }

  get claimed(): number {
    return this.#index.claimed
  }

  /** Nothing of the stream is known any more. Claims stay: requests with them are under way. */
  clear(): void {
    this.#index.clear()
    this.#owners.clear()
    this.#entries = []
    for (const claim of this.#claims.values()) claim.row = ADRIFT
    this.#reading++
    this.#cursor = '0'
    this.#inherited = true
  }

  /** Another process answers for what was settled here and never reached Redis. */
  disown(): void {
    this.settled.clear()
    this.settledBytes = 0
  }

  /** How many more entries there is room for. */
  #room(): number {
    const { count, bytes } = this.#index
    const { blocked, blockedBytes } = this.#owners
    if (bytes + count * HELD_ENTRY >= this.#most || bytes - blockedBytes >= MOST_BYTES) return 0
    return Math.min(HELD_ENTRIES - count, MOST_ENTRIES - (count - blocked))
  }

  /**
   * Reads on, until the window is full or nothing more is there. What can be claimed does not wait until all of a long
   * stream is read that cannot.
   * @returns false where the lease is lost
   * @throws what the connection does
   */
  async fill(holder: string): Promise<boolean> {
    const reading = this.#reading
    let read = 0
    for (let room = this.#room(); room > 0; room = this.#room()) {
      if (read >= MOST_ENTRIES && this.#index.count > this.#owners.blocked) return true
      const count = Math.min(this.#count, room)
      const inherited = this.#inherited
      let found: Awaited<ReturnType<Scripts['read']>>
      try {
        found = await this.#scripts.read(holder, count, inherited ? this.#cursor : '>')
      } catch (error) {
        // The answer may be all that was lost: what it held counts as read.
        if (reading === this.#reading) this.#inherited = true
        this.#count = Math.max(1, this.#count >> 2)
        throw error
      }
      if (reading !== this.#reading) return true
      if (found === undefined) return false
      this.#count = Math.min(READ, this.#count * 2)
      for (const [id, fields] of found) this.#add(id, fields)
      read += found.length
      if (inherited) this.#inherited = found.length > 0
      else if (found.length < count) return true
    }
    return true
  }

  #add(id: string, fields: string[] | null): void {
    this.#cursor = id
    const sequence = sequenceOf(id)
    if (this.settled.has(sequence)) return
    if (fields === null) {
      this.settled.set(sequence, { size: 0, from: '' })
      return
    }
    const [, user = '', , at, , body = '', , from = ''] = fields
    const size = Buffer.byteLength(body)
    const queue = queueNumber(user)
    const row = this.#index.add(queue, sequence, Number(at), size)
    const owner = this.#owners.add(queue, size)
    this.#entries[row] = { user, body, from, owner }
    const claim = this.#claims.get(sequence)
    if (claim === undefined) return
    this.#index.takeOne(row)
    this.#owners.claim(owner)
    claim.row = row
  }

  take(max: ClaimBounds): Claimed[] {
    return this.#index.take(max.entries, max.bytes).map(row => {
      const { user, body } = this.#entries[row]!
      const id = this.#claim(row)
      return { id, user, body, receivedAt: this.#index.receivedAt[row] as number }
    })
  }

  #claim(row: number): number {
    const { user, from, owner } = this.#entries[row]!
    this.#owners.claim(owner)
    const id = this.#index.sequence[row] as number
    const size = (this.#index.size[row] as number) + Buffer.byteLength(user) + OVERHEAD
    this.#claims.set(id, { row, size, from })
    return id
  }

  /** Claims entries that were received before a time, at most so many. */
  takeOld(before: number, most: number): number[] {
    return this.#index.waitingBefore(before, 0, Number.POSITIVE_INFINITY, most).map(row => {
      this.#index.takeOne(row)
      return this.#claim(row)
    })
  }

  /** Ends the claims of those ids that have one. @param gone whether to tell Redis so, in `settled` */
  settle(ids: readonly EntryId[], gone: boolean): void {
    const rows: number[] = []
    for (const id of ids) {
      const claim = this.#settling(id)
      if (claim === undefined) continue
      this.#claims.delete(id)
      if (gone) {
        this.settled.set(id, claim)
        this.settledBytes += claim.size
      }
      if (claim.row === ADRIFT) continue
      this.#owners.settle(this.#entries[claim.row]!.owner, this.#index.size[claim.row] as number)
      this.#entries[claim.row] = undefined
      rows.push(claim.row)
    }
    this.#index.settle(rows)
  }

  /** Redis has heard of these. */
  confirmed(ids: readonly EntryId[]): void {
    for (const id of ids) {
      this.settledBytes -= this.settled.get(id)?.size ?? 0
      this.settled.delete(id)
    }
  }

  release(ids: readonly EntryId[]): void {
    const rows: number[] = []
    for (const id of ids) {
      const claim = this.#settling(id)
      if (claim === undefined) continue
      this.#claims.delete(id)
      if (claim.row === ADRIFT) continue
      this.#owners.release(this.#entries[claim.row]!.owner)
      rows.push(claim.row)
    }
    this.#index.giveBack(rows)
  }

  /** From among those ids, the claims that nobody is burying; until `lower` nobody else may settle them. */
  lift(ids: readonly EntryId[]): EntryId[] {
    const lifted: EntryId[] = []
    for (const id of ids) {
      if (this.#settling(id) === undefined) continue
      this.#lifted.add(id)
      lifted.push(id)
    }
    return lifted
  }

  lower(ids: readonly EntryId[]): void {
    for (const id of ids) this.#lifted.delete(id)
  }

  #settling(id: EntryId): Claim | undefined {
    return this.#lifted.has(id) ? undefined : this.#claims.get(id)
  }
}
