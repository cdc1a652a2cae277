/** A user's entries in the window, and how many of them are claimed. */
export interface Owner {
  queue: number
  rows: number
  bytes: number
  claims: number
}

/**
 * Whose entries the window holds, and how many of them nobody can claim now: while one entry of a user is claimed, the
 * others wait for it. One that is put aside is claimed for days.
 */
export class Owners {
  #all = new Map<number, Owner>()
  /** Entries and bytes of users who have one claimed, that one included. */
  blocked = 0
  blockedBytes = 0

  add(queue: number, size: number): Owner {
    let owner = this.#all.get(queue)
    if (owner === undefined) {
      owner = { queue, rows: 0, bytes: 0, claims: 0 }
      this.#all.set(queue, owner)
    }
    owner.rows++
    owner.bytes += size
    if (owner.claims > 0) this.#block(1, size)
    return owner
  }

  claim(owner: Owner): void {
    if (owner.claims++ === 0) this.#block(owner.rows, owner.bytes)
  }

  release(owner: Owner): void {
    if (--owner.claims === 0) this.#block(-owner.rows, -owner.bytes)
  }

  /** A claimed entry is gone. */
  settle(owner: Owner, size: number): void {
    this.#block(-1, -size)
    owner.rows--
    owner.bytes -= size
    this.release(owner)
    if (owner.rows === 0) this.#all.delete(owner.queue)
  }

  clear(): void {
    this.#all.clear()
    this.blocked = 0
    this.blockedBytes = 0
  }

  #block(rows: number, bytes: number): void {
    this.blocked += rows
    this.blockedBytes += bytes
  }
}
