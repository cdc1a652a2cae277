import type { Claimed, EntryId } from '../outbox/outbox.js'

/** What Logtrail had against the entries of a request. */
export interface Refusal {
  status: number
  code: string
  message: string
  errors: readonly { log_index: number | null; field: string; message: string }[]
  /** Body of the answer. */
  answer: string
}

/** One entry that Logtrail will not take, and why. */
export interface Refused {
  entry: Claimed
  status: number
  code: string
  field: string
  message: string
  answer: string
}

/** What a request decided. */
export interface Settled {
  taken: readonly Claimed[]
  refused: readonly Refused[]
}

interface Piece {
  entries: readonly Claimed[]
  /** Refused for certain, as its other half was taken: not worth sending as it is. */
  bad: boolean
  /** Left half: if it is taken, what is below it on the stack is bad. */
  left: boolean
  /** Whether names in Logtrail's answer are followed. */
  names: boolean
  /** Parted by such names: the one entry was named, or none of these was. */
  parted?: 'named' | 'unnamed'
}

function piece(entries: readonly Claimed[], names: boolean, more: Partial<Piece> = {}): Piece {
  return { entries, names, bad: false, left: false, ...more }
}

/**
 * A claimed batch on its way, and what becomes of it when Logtrail refuses it: a stack of pieces, of which one is sent at a
 * time, the older entries first, so that users' order holds.
 *
 * An entry counts as refused when it was refused standing alone, and not before. A name in an answer only says where to
 * look first: an index counted from 1, one of another list, or all that were in the request would bury good entries. So the
 * entries that were not named go, then each that was named goes alone. For n bad entries that is two requests, or three,
 * and one for each of them. Where names are missing or proved wrong, halves are tried: two requests for each halving, one
 * where the left half was taken: then the right one is bad without being asked.
 */
export class Batch {
  /** How often in a row `current` met a fault of the upstream. */
  faults = 0
  /** Met a fault, and then Logtrail dealt with another batch. */
  suspect = false
  /** How often `current`, one entry that stands alone, was put aside; and until when (see resting.ts and Clock.now). */
  aside = 0
  due = 0
  /** Which came to rest before which. */
  turn = 0
  /** How often in a row it met a fault while no other was there to be tried, and which was the last other. */
  alone = 0
  others = -1
  #stack: Piece[]
  #whole = true
  #claimed: readonly Claimed[]

  constructor(claimed: readonly Claimed[]) {
    this.#claimed = claimed
    this.#stack = [piece(claimed, true)]
  }

  /** Whether it is as it was claimed. */
  get whole(): boolean {
    return this.#whole
  }

  get done(): boolean {
    return this.#stack.length === 0
  }

  /** Entries to be sent next, in one request. */
  get current(): readonly Claimed[] {
    while (this.#top.bad && this.#top.entries.length > 1) this.halve()
    return this.#top.entries
  }

  /** All that is not settled. */
  entries(): Claimed[] {
    return this.#stack.flatMap(each => each.entries)
  }

  ids(): EntryId[] {
    return this.entries().map(idOf)
  }

  /** Logtrail took `current`. Returns it. */
  taken(): readonly Claimed[] {
    const { entries, left, parted } = this.#pop()
    if (parted === 'named') this.#mix()
    const below = this.#stack.at(-1)
    if (left && below !== undefined) below.bad = true
    return entries
  }

  /** Logtrail refused `current`. Returns which entries are settled by that. */
  refused(refusal: Refusal): readonly Refused[] {
    const { entries, names, parted } = this.#top
    if (entries.length === 1) {
      this.#pop()
      return [refused(entries[0] as Claimed, refusal)]
    }
    const named = names ? accused(entries, refusal) : []
    if (named.length > 0) this.#part(new Set(named))
    else {
      if (parted !== undefined) this.#mix()
      this.halve(refusal.status !== 413)
    }
    return []
  }

  /**
   * Goes on with half of `current`.
   * @param content whether the fault is in some entry, not in the size of all together
   */
  halve(content = true): void {
    const { entries, names, parted } = this.#pop()
    const middle = entries.length >> 1
    const more = parted === undefined ? {} : { parted }
    this.#stack.push(piece(entries.slice(middle), names, more))
    this.#stack.push(piece(entries.slice(0, middle), names, { ...more, left: content }))
  }

  /** Two batches, each with half of the users, who are independent; or where that cannot be, this one with `current` halved. */
  parts(): Batch[] {
    const { entries } = this.#top
    const users = [...new Set(entries.map(entry => entry.user))]
    if (!this.#whole || users.length === 1) {
      this.halve(false)
      return [this]
    }
    const some = new Set(users.slice(users.length >> 1))
    return [
      new Batch(entries.filter(entry => !some.has(entry.user))),
      new Batch(entries.filter(entry => some.has(entry.user)))
    ]
  }

  /** `current`, a single entry, leaves as a batch of its own, with all that is its user's behind it. */
  detach(): Batch {
    const { entries } = this.#pop()
    const { user } = entries[0] as Claimed
    const own: Claimed[] = []
    for (const piece of this.#stack) {
      own.push(...piece.entries.filter(entry => entry.user === user))
      piece.entries = piece.entries.filter(entry => entry.user !== user)
    }
    this.#stack = this.#stack.filter(piece => piece.entries.length > 0)
    const alone = new Batch(entries)
    if (own.length > 0) {
      const behind = this.#inOrder(own)
      alone.#claimed = [...entries, ...behind]
      alone.#stack.unshift(piece(behind, false))
      alone.#whole = false
    }
    return alone
  }

  /**
   * Parts `current` by the names in an answer. Whoever may be wrongly named is to keep his order: what is younger than a user's
   * first named entry waits for that to be tried. Where it is refused, the names are believed to be right as to his
   * others, which are tried last.
   */
  #part(named: ReadonlySet<Claimed>): void {
    const free: Claimed[] = []
    const first: Claimed[] = []
    const behind: Claimed[] = []
    const further: Claimed[] = []
    const waiting = new Set<string>()
    for (const entry of this.#pop().entries) {
      const waits = waiting.has(entry.user)
      const isNamed = named.has(entry)
      const where = isNamed ? (waits ? further : first) : waits ? behind : free
      where.push(entry)
      if (isNamed) waiting.add(entry.user)
    }
    this.#eachAlone(further)
    this.#unnamed(behind)
    this.#eachAlone(first)
    this.#unnamed(free)
  }

  #eachAlone(entries: readonly Claimed[]): void {
    for (const entry of entries.toReversed()) this.#stack.push(piece([entry], false, { parted: 'named' }))
  }

  #unnamed(entries: readonly Claimed[]): void {
    if (entries.length > 0) this.#stack.push(piece(entries, false, { parted: 'unnamed' }))
  }

  /** The names proved wrong: what is left of that which they parted goes on as if there had been none. */
  #mix(): void {
    const rest: Claimed[] = []
    while (this.#stack.at(-1)?.parted !== undefined) rest.push(...this.#pop().entries)
    if (rest.length > 0) this.#stack.push(piece(this.#inOrder(rest), false))
  }

  /** As they were claimed. */
  #inOrder(entries: readonly Claimed[]): readonly Claimed[] {
    const some = new Set(entries)
    return this.#claimed.filter(entry => some.has(entry))
  }

  get #top(): Piece {
    return this.#stack.at(-1) as Piece
  }

  #pop(): Piece {
    this.#whole = false
    this.faults = 0
    return this.#stack.pop() as Piece
  }
}

export function idOf(entry: Claimed): EntryId {
  return entry.id
}

/** What is sent: one entry as it is, several as an array. */
export function bodyOf(entries: readonly Claimed[]): string {
  if (entries.length === 1) return (entries[0] as Claimed).body
  // Array.join writes one flat string: one that is added to piece by piece is a chain, to be flattened later
  return `[${entries.map(entry => entry.body).join(',')}]`
}

/** Those that the answer names. */
function accused(entries: readonly Claimed[], { errors }: Refusal): Claimed[] {
  const indexes = new Set(errors.map(error => error.log_index))
  return entries.filter((_, index) => indexes.has(index))
}

function refused(entry: Claimed, { status, code, message, errors, answer }: Refusal): Refused {
  const [error] = errors
  return { entry, status, code, answer, field: error?.field ?? '', message: error?.message ?? message }
}
