import assert from 'node:assert/strict'
import fc from 'fast-check'
import type { Test } from 'tap'
import type { EntryId, Outbox } from '../../src/outbox/outbox.js'
import type { Store } from './behaviour.js'

interface Kept {
  id: EntryId
  user: string
  body: string
  at: number
}

type Step =
  | { do: 'append'; users: number[] }
  | { do: 'claim'; entries: number; bytes: number }
  | { do: 'acknowledge' | 'release' | 'bury'; part: number }
  | { do: 'expire' | 'advance'; by: number }
  | { do: 'retry' | 'restart' }

const user = fc.nat({ max: 7 })
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('append' as const), users: fc.array(user, { maxLength: 12 }) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('claim' as const),
      entries: fc.integer({ min: 1, max: 20 }),
      bytes: fc.integer({ min: 10, max: 600 })
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom('acknowledge' as const, 'release' as const, 'bury' as const),
      part: fc.double({ min: 0.1, max: 1, noNaN: true })
    })
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constantFrom('expire' as const, 'advance' as const),
      by: fc.integer({ min: -50, max: 100 })
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('retry' as const, 'restart' as const) }) }
)

/** An outbox as plain lists: the oracle. Claims are whatever the store gave; what they may hold is checked. */
class Model {
  waiting: Kept[] = []
  claimed: Kept[] = []
  dead: Kept[] = []

  claim(ids: readonly EntryId[], max: { entries: number; bytes: number }): void {
    const taken = ids.map(id => this.waiting.find(one => one.id === id))
    assert(
      taken.every(one => one !== undefined),
      'only what waits is claimed, and once'
    )
    const busy = new Set(this.claimed.map(one => one.user))
    for (const one of taken) assert(!busy.has(one.user), 'users with claimed entries are passed over')
    for (const name of new Set(taken.map(one => one.user))) {
      const theirs: Kept[] = taken.filter(one => one.user === name)
      const first = this.waiting.filter(one => one.user === name).slice(0, theirs.length)
      assert.deepEqual(theirs, first, 'the first ones of the user, in order')
    }
    assert(taken.length <= max.entries)
    const length = `[${taken.map(one => one.body).join(',')}]`.length
    assert(taken.length === 1 || taken.length === 0 || length <= max.bytes)
    assert(taken.length > 0 || this.waiting.every(one => busy.has(one.user)), 'there is something if there can be')
    this.waiting = this.waiting.filter(one => !taken.includes(one))
    this.claimed.push(...taken)
  }

  /** Ends the claims of some, and says which. */
  settle(ids: readonly EntryId[]): Kept[] {
    const ended = this.claimed.filter(one => ids.includes(one.id))
    this.claimed = this.claimed.filter(one => !ids.includes(one.id))
    return ended
  }

  wait(entries: readonly Kept[]): void {
    this.waiting = [...this.waiting, ...entries].sort((a, b) => (a.id as number) - (b.id as number))
  }
}

/** Sequences of steps, after each of which the store's figures are the model's, and at whose end its entries are. */
export function holdsToModel(t: Test, place: Store['place'], durable: boolean): fc.IAsyncProperty<[Step[]]> {
  return fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60, size: 'max' }), async steps => {
    let now = 1_000_000
    const open = place(t)
    const begin = () => open({ now: () => now, room: 10_000 })
    let outbox: Outbox = await begin()
    const model = new Model()
    let n = 0

    for (const one of steps) {
      if (one.do === 'append') {
        const entries = one.users.map(user => ({ user: `u:${user}`, body: `{"n":${++n}}` }))
        const ids = await outbox.append(entries)
        model.wait(entries.map((entry, i) => ({ ...entry, id: ids[i] as EntryId, at: now })))
      } else if (one.do === 'claim') {
        model.claim(
          (await outbox.claim(one)).map(({ id }) => id),
          one
        )
      } else if (one.do === 'acknowledge' || one.do === 'release' || one.do === 'bury') {
        const ids = model.claimed.filter((_, i) => (i * 7) % 10 < one.part * 10).map(({ id }) => id)
        if (one.do === 'bury') await outbox.bury(ids.map(id => ({ id, reason: { code: 'X', message: 'x' } })))
        else await outbox[one.do](ids)
        const ended = model.settle(ids)
        if (one.do === 'release') model.wait(ended)
        if (one.do === 'bury' && durable) model.dead.push(...ended)
      } else if (one.do === 'advance') {
        now += one.by
      } else if (one.do === 'expire') {
        const old = model.waiting.filter(({ at }) => at < now - Math.abs(one.by))
        assert.equal(await outbox.expire(Math.abs(one.by)), old.length)
        model.waiting = model.waiting.filter(entry => !old.includes(entry))
        if (durable) model.dead.push(...old)
      } else if (durable && one.do === 'retry') {
        assert.equal(await outbox.deadLetters.retry('all'), model.dead.length)
        model.dead = []
        await resume()
      } else if (durable && one.do === 'restart') {
        await outbox.stop()
        outbox = await begin()
        model.wait(model.claimed.splice(0))
      }
      const { waiting, claimed, deadLetters } = outbox.stats()
      assert.deepEqual(
        { waiting, claimed, deadLetters },
        {
          waiting: model.waiting.length + model.claimed.length,
          claimed: model.claimed.length,
          deadLetters: model.dead.length
        }
      )
    }
    await outbox.release(model.claimed.map(({ id }) => id))
    model.wait(model.claimed.splice(0))
    const all = { entries: 1e6, bytes: 1e9 }
    const rest = await outbox.claim(all)
    model.claim(
      rest.map(({ id }) => id),
      all
    )
    assert.equal(model.waiting.length, 0)
    for (const { id, user, body } of rest) {
      const known = model.claimed.find(one => one.id === id)
      assert.deepEqual({ user, body }, { user: known?.user, body: known?.body })
    }
    await outbox.stop()

    /** The ids of what was retried are new: learn them by looking at everything that can be claimed. */
    async function resume(): Promise<void> {
      await outbox.release(model.claimed.map(({ id }) => id))
      const seen = await outbox.claim({ entries: 1e6, bytes: 1e9 })
      await outbox.release(seen.map(({ id }) => id))
      model.claimed = []
      model.waiting = []
      model.wait(seen.map(({ id, user, body, receivedAt }) => ({ id, user, body, at: receivedAt })))
    }
  })
}
