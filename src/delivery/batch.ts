import type { Claimed, EntryId } from '../outbox/outbox.js'

/** What Logtrail had against the entries of a request. */
export interface Refusal {
  status: number
  code: string
  message: string
  errors: readonly { log_index: number | null; field: string; message: string }[]
  /** Body of the answer; with an entry that was one of several {@link NAMED_ANSWER} characters of it are kept. */
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

/**
 * The answer to a bulk is as long as its faults are many, and each of them would become a dead letter with all of it: they would
 * fill the queue with copies. An entry's own fault stands in `field` and `message`.
 */
const NAMED_ANSWER = 512

interface Piece {
  entries: readonly Claimed[]
  /** Refused for certain, as its other half was taken: not worth sending as it is. */
  bad: boolean
  /** Left half: if it is taken, what is below it on the stack is bad. */
  left: boolean
  /** Whether names in Logtrail's answer are followed. */
  names: boolean
  /** Entries that Logtrail named, and the outcome of `entries` that confirms it. */
  suspects: readonly Refused[]
  confirmedBy: 'taken' | 'refused'
}

function piece(entries: readonly Claimed[], names: boolean, more: Partial<Piece> = {}): Piece {
  return { entries, names, bad: false, left: false, suspects: [], confirmedBy: 'taken', ...more }
}

/**
 * A claimed batch on its way, and what becomes of it when Logtrail refuses it: a stack of pieces, of which one is sent at a
 * time, the older entries first, so that users' order holds.
 *
 * An entry counts as refused when it was refused standing alone; or when Logtrail named it and was right about the
 * rest: the batch without all the named ones was taken (or, where all are named, the first of them alone was refused).
 * That costs two requests for any number of bad entries. A name alone is not believed: an index counted from 1, or one
 * of another list, would bury a good entry. Where names are missing or proved wrong, halves are tried (two requests for each
 * halving, one where the left half was taken: then the right one is bad without being asked).
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
  readonly #claimed: readonly Claimed[]

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
    return this.#stack.flatMap(({ entries, suspects }) => [...entries, ...suspects.map(each => each.entry)])
  }

  ids(): EntryId[] {
    return this.entries().map(idOf)
  }

  /** Logtrail took `current`. */
  taken(): Settled {
    const { entries, left, suspects, confirmedBy } = this.#pop()
    const below = this.#stack.at(-1)
    if (left && below !== undefined) below.bad = true
    return { taken: entries, refused: this.#judge(suspects, confirmedBy === 'taken') }
  }

  /** Logtrail refused `current`. Returns which entries are settled by that. */
  refused(refusal: Refusal): readonly Refused[] {
    const { entries, names, suspects, confirmedBy } = this.#top
    if (entries.length === 1) {
      this.#pop()
      const alone = refused(entries[0] as Claimed, refusal, refusal.errors[0])
      return [alone, ...this.#judge(suspects, confirmedBy === 'refused')]
    }
    const named = names ? accused(entries, refusal) : []
    if (named.length === 0) {
      this.halve(refusal.status !== 413)
      return []
    }
    this.#pop()
    if (named.length === entries.length) {
      const [first, ...others] = named as [Refused, ...Refused[]]
      this.#stack.push(piece([first.entry], false, { suspects: others, confirmedBy: 'refused' }))
      return []
    }
    const accusedOnes = new Set(named.map(each => each.entry))
    const rest = entries.filter(entry => !accusedOnes.has(entry))
    this.#stack.push(piece(rest, false, { suspects: named, confirmedBy: 'taken' }))
    return []
  }

  /**
   * Goes on with half of `current`, and of those that were named: they are halved with the others, in the order in which all
   * were claimed. Tried after them, a good one would come after younger ones of its user.
   * @param content whether the fault is in some entry, not in the size of all together
   */
  halve(content = true): void {
    const { entries: rest, names, suspects } = this.#pop()
    const entries = suspects.length === 0 ? rest : this.#inOrder([...rest, ...suspects.map(each => each.entry)])
    const middle = entries.length >> 1
    this.#stack.push(piece(entries.slice(middle), names))
    this.#stack.push(piece(entries.slice(0, middle), names, { left: content }))
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
    const { entries, suspects } = this.#pop()
    this.#judge(suspects, false)
    const { user } = entries[0] as Claimed
    const behind: Claimed[] = []
    for (const piece of this.#stack) {
      behind.unshift(...piece.entries.filter(entry => entry.user === user))
      piece.entries = piece.entries.filter(entry => entry.user !== user)
    }
    this.#stack = this.#stack.filter(piece => piece.entries.length > 0)
    const alone = new Batch(entries)
    if (behind.length > 0) {
      alone.#stack.unshift(piece(behind, false))
      alone.#whole = false
    }
    return alone
  }

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

  /** Names that were not confirmed say nothing: those entries are tried like others. */
  #judge(suspects: readonly Refused[], confirmed: boolean): readonly Refused[] {
    if (confirmed) return suspects
    if (suspects.length > 0) {
      this.#stack.push(
        piece(
          suspects.map(each => each.entry),
          false
        )
      )
    }
    return []
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

/** Those that the answer names, each with the first fault that it has against it. */
function accused(entries: readonly Claimed[], refusal: Refusal): Refused[] {
  const errors = new Map(refusal.errors.toReversed().map(error => [error.log_index, error]))
  const short = { ...refusal, answer: refusal.answer.slice(0, NAMED_ANSWER) }
  return entries.flatMap((entry, index) => {
    const error = errors.get(index)
    return error === undefined ? [] : [refused(entry, short, error)]
  })
}

function refused(entry: Claimed, refusal: Refusal, error: { field: string; message: string } | undefined): Refused {
  const { status, code, answer, message } = refusal
  return { entry, status, code, answer, field: error?.field ?? '', message: error?.message ?? message }
}
