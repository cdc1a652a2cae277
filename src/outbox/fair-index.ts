import { Users, widen } from './users.js'

const NONE = -1
const FREE = 0
const WAITING = 1
const CLAIMED = 2

/** A claim mixes at least this many users where so many wait, and so leaves others' entries to claims beside it. */
const USERS_A_CLAIM = 16

/** Rows that an index begins with, and those above which it shrinks again once it is empty. */
const SMALL = 1024
const LARGE = 65_536

/**
 * Which entries wait, whose they are and whose turn it is: everything about the queue but the entries themselves. The
 * stores of one process, memory and disk, stand on it, and what a replica holds of the queue in Redis.
 *
 * An entry is a row of columns (45 bytes), a user a row in `Users`; a user's waiting entries are a list in the order of
 * their sequence, linked both ways so that any of them may leave, the users who may be claimed from stand in a ring, and
 * all entries are in a list by arrival. Nothing here waits, so each method is one step to everyone else.
 */
export class FairIndex {
  /** Order of arrival; never goes back, whatever the clock does. */
  sequence = new Float64Array(SMALL)
  /** Milliseconds of the clock at the append. */
  receivedAt = new Float64Array(SMALL)
  /** Bytes that the entry counts for. */
  size = new Uint32Array(SMALL)
  /** The store's own: the disk store keeps its checksum here. */
  mark = new Uint32Array(SMALL)

  /** Entries waiting or claimed, those claimed, and the bytes of both. */
  count = 0
  claimed = 0
  bytes = 0

  #state = new Uint8Array(SMALL)
  #user = new Int32Array(SMALL)
  #next = new Int32Array(SMALL)
  #previous = new Int32Array(SMALL)
  #older = new Int32Array(SMALL)
  #newer = new Int32Array(SMALL)
  #oldest = NONE
  #newest = NONE
  #free = NONE
  #used = 0
  #users = new Users()

  /** `receivedAt` of the entry that arrived first of those waiting or claimed. */
  get oldest(): number | undefined {
    return this.#oldest === NONE ? undefined : this.receivedAt[this.#oldest]
  }

  /** @param sequence higher than all before; @returns the entry's row, which names it until it is removed */
  add(queue: number, sequence: number, receivedAt: number, size: number, mark = 0): number {
    const row = this.#row()
    const user = this.#users.row(queue)
    this.sequence[row] = sequence
    this.receivedAt[row] = receivedAt
    this.size[row] = size
    this.mark[row] = mark
    this.#state[row] = WAITING
    this.#user[row] = user
    this.#older[row] = this.#newest
    this.#newer[row] = NONE
    if (this.#newest === NONE) this.#oldest = row
    else this.#newer[this.#newest] = row
    this.#newest = row

    this.#link(row, this.#users.tail[user] as number, NONE)
    this.count++
    this.bytes += size
    this.#users.tend(user)
    return row
  }

  /** Rows claimed: users in turn, each user's in order. See ClaimBounds for `bytes`. */
  take(entries: number, bytes: number): number[] {
    const users = this.#users
    const taken: number[] = []
    const picked: number[] = []
    const share = Math.ceil(entries / USERS_A_CLAIM)
    let left = bytes - 1
    let full = false

    const takeFrom = (user: number) => {
      const until = Math.min(taken.length + share, entries)
      let row = users.head[user] as number
      while (row !== NONE && taken.length < until) {
        const cost = (this.size[row] as number) + 1
        if (cost > left && taken.length > 0) {
          full = true
          break
        }
        left -= cost
        taken.push(row)
        this.#state[row] = CLAIMED
        users.outstanding[user] = (users.outstanding[user] as number) + 1
        row = this.#next[row] as number
      }
      users.head[user] = row
      if (row === NONE) users.tail[user] = NONE
      else this.#previous[row] = NONE
    }

    while (taken.length < entries && !full && users.first !== NONE) {
      const user = users.first
      if ((users.outstanding[user] as number) > 0 || users.head[user] === NONE) {
        users.dropFirst()
        users.tend(user)
        continue
      }
      takeFrom(user)
      // One whose first entry did not fit stays at the front: the next claim begins with it.
      if ((users.outstanding[user] as number) === 0) break
      users.dropFirst()
      picked.push(user)
    }
    for (let before = 0; taken.length < entries && !full && taken.length > before; ) {
      before = taken.length
      for (const user of picked) if (!full) takeFrom(user)
    }
    this.claimed += taken.length
    return taken
  }

  /** A waiting entry is claimed out of turn. Its user is passed over as with any claim. */
  takeOne(row: number): void {
    const user = this.#unlink(row)
    this.#state[row] = CLAIMED
    this.#users.outstanding[user] = (this.#users.outstanding[user] as number) + 1
    this.claimed++
  }

  queueOf(row: number): number {
    return this.#users.numberOf(this.#user[row] as number)
  }

  isWaiting(row: number): boolean {
    return this.#state[row] === WAITING
  }

  /** Claimed entries are gone. */
  settle(rows: readonly number[]): void {
    for (const row of rows) {
      this.claimed--
      const user = this.#user[row] as number
      this.#forget(row)
      this.#loosen(user)
    }
    this.#shrink()
  }

  /** A waiting entry is gone. */
  withdraw(row: number): void {
    const user = this.#unlink(row)
    this.#forget(row)
    this.#users.tend(user)
    this.#shrink()
  }

  /** Claimed entries wait again, each at its place among those of its user. A row named twice counts once. */
  giveBack(rows: readonly number[]): void {
    const users = this.#users
    const sequence = this.sequence
    const inOrder = [...rows].sort((a, b) => (sequence[a] as number) - (sequence[b] as number))
    const loosened: number[] = []
    const placed = new Map<number, number>()
    for (const row of inOrder) {
      if (this.#state[row] !== CLAIMED) continue
      const user = this.#user[row] as number
      loosened.push(user)
      // What was claimed is older than what waits, except what was given back before: the walk is short. It goes on
      // from where the user's last one was placed, for there may be thousands of one user.
      let before = placed.get(user) ?? NONE
      let after = (before === NONE ? users.head[user] : this.#next[before]) as number
      while (after !== NONE && (sequence[after] as number) < (sequence[row] as number)) {
        before = after
        after = this.#next[after] as number
      }
      this.#link(row, before, after)
      placed.set(user, row)
      this.#state[row] = WAITING
      this.claimed--
    }
    for (const user of loosened) this.#loosen(user)
  }

  /**
   * Rows of waiting entries received before `time`, at most `limit`, found among the `span` rows that follow `from`.
   * By rows and not by arrival: after a jump of the clock, arrival says nothing of age.
   */
  waitingBefore(time: number, from = 0, span = Infinity, limit = Infinity): number[] {
    const found: number[] = []
    const end = Math.min(from + span, this.#used)
    for (let row = from; row < end && found.length < limit; row++) {
      if (this.#state[row] === WAITING && (this.receivedAt[row] as number) < time) found.push(row)
    }
    return found
  }

  /** Rows in use or used before: where `waitingBefore` may end. */
  get rows(): number {
    return this.#used
  }

  #row(): number {
    if (this.#free !== NONE) {
      const row = this.#free
      this.#free = this.#next[row] as number
      return row
    }
    if (this.#used === this.#state.length) this.#resize(this.#used * 2)
    return this.#used++
  }

  /** Puts an entry into its user's list, between two neighbours there. */
  #link(row: number, before: number, after: number): void {
    this.#previous[row] = before
    this.#next[row] = after
    this.#join(this.#user[row] as number, before, after, row, row)
  }

  /** Takes a waiting entry out of its user's list, wherever it stands. */
  #unlink(row: number): number {
    const user = this.#user[row] as number
    const before = this.#previous[row] as number
    const after = this.#next[row] as number
    this.#join(user, before, after, after, before)
    return user
  }

  /** What `before` has behind it and `after` in front of it; with no such neighbour, the list begins or ends there. */
  #join(user: number, before: number, after: number, behind: number, inFront: number): void {
    if (before === NONE) this.#users.head[user] = behind
    else this.#next[before] = behind
    if (after === NONE) this.#users.tail[user] = inFront
    else this.#previous[after] = inFront
  }

  #forget(row: number): void {
    const older = this.#older[row] as number
    const newer = this.#newer[row] as number
    if (older === NONE) this.#oldest = newer
    else this.#newer[older] = newer
    if (newer === NONE) this.#newest = older
    else this.#older[newer] = older
    this.#state[row] = FREE
    this.#next[row] = this.#free
    this.#free = row
    this.count--
    this.bytes -= this.size[row] as number
  }

  /** One claim on a user has ended. */
  #loosen(user: number): void {
    const left = (this.#users.outstanding[user] as number) - 1
    this.#users.outstanding[user] = left
    if (left === 0) this.#users.tend(user)
  }

  /** Forgets everything. */
  clear(): void {
    this.count = 0
    this.claimed = 0
    this.bytes = 0
    this.#used = 0
    this.#free = NONE
    this.#oldest = NONE
    this.#newest = NONE
    this.#users = new Users()
    this.#resize(SMALL)
  }

  /** An empty index gives back what a long queue took. */
  #shrink(): void {
    if (this.count === 0 && this.#state.length > LARGE) this.clear()
  }

  #resize(capacity: number): void {
    this.sequence = resized(this.sequence, capacity)
    this.receivedAt = resized(this.receivedAt, capacity)
    this.size = resized(this.size, capacity)
    this.mark = resized(this.mark, capacity)
    this.#state = resized(this.#state, capacity)
    this.#user = resized(this.#user, capacity)
    this.#next = resized(this.#next, capacity)
    this.#previous = resized(this.#previous, capacity)
    this.#older = resized(this.#older, capacity)
    this.#newer = resized(this.#newer, capacity)
  }
}

function resized<C extends Parameters<typeof widen>[0]>(column: C, capacity: number): C {
  return capacity > column.length ? widen(column, capacity) : (column.slice(0, capacity) as C)
}
