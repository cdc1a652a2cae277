import fc from 'fast-check'
import type { Test } from 'tap'
import type { Claimed, EntryId, NewEntry, Outbox } from '../../src/outbox/outbox.js'
import { holdsToModel } from './model.js'

/** What a store has to bring to be held to the interface. */
export interface Store {
  /**
   * An outbox at a fresh place, started; the next ones of the same place inherit what it held.
   * `room` is about the number of entries of 100 bytes that fit.
   */
  place(t: Test): (options?: { now?: () => number; room?: number }) => Promise<Outbox>
  /** Whether entries outlive `stop`, and whether dead letters are kept. */
  durable: boolean
}

const ALL = { entries: 1_000_000, bytes: 1_000_000_000 }
const reason = { code: 'VALIDATION_FAILED', status: 400, message: 'level is wrong', answer: '{"error_code":"…"}' }

/** `{"n":1,…}` of about 100 bytes. */
export function entry(user: string, n: number | string): NewEntry {
  return { user, body: JSON.stringify({ n, fill: 'x'.repeat(85) }) }
}

const numbers = (claimed: readonly Claimed[]) => claimed.map(({ body }) => JSON.parse(body).n)
const ids = (claimed: readonly Claimed[]) => claimed.map(({ id }) => id)
const byUser = (claimed: readonly Claimed[], user: string) => claimed.filter(one => one.user === user)
const isFull = { name: 'HttpError', code: 'QUEUE_FULL', statusCode: 503 }

async function waiting(outbox: Outbox): Promise<Claimed[]> {
  const claimed = await outbox.claim(ALL)
  await outbox.release(ids(claimed))
  return claimed
}

/** The promises of `src/outbox/outbox.ts`, one by one; then all at once against a model. */
export function behaves(t: Test, { place, durable }: Store): void {
  t.test('what was appended is claimed, whole and in order', async t => {
    const outbox = await place(t)({ now: () => 1234 })
    const given = await outbox.append([entry('u:ann', 1), entry('u:ann', 2)])
    const more = await outbox.append([entry('u:ann', 3)])
    t.equal(new Set([...given, ...more]).size, 3, 'ids differ')
    const claimed = await outbox.claim(ALL)
    t.same(ids(claimed), [...given, ...more])
    t.same(
      claimed.map(({ user, body, receivedAt }) => ({ user, body, receivedAt })),
      [1, 2, 3].map(n => ({ ...entry('u:ann', n), receivedAt: 1234 }))
    )
    t.same(await outbox.claim(ALL), [], 'nothing is claimed twice')
  })

  t.test('appends that run at the same time keep the order of their calls', async t => {
    const outbox = await place(t)()
    const order: number[] = []
    await Promise.all(
      Array.from({ length: 50 }, async (_, n) => {
        await outbox.append([entry('u:ann', n)])
        order.push(n)
      })
    )
    t.same(
      order,
      Array.from({ length: 50 }, (_, n) => n)
    )
    t.same(numbers(await outbox.claim(ALL)), order)
  })

  t.test('any user and any body comes back as it was', async t => {
    const outbox = await place(t)()
    const odd = ['u:', 'u:1:2:3', '12:u:x', 'a:2001:db8::/64', 'u:Zoë 💥', 'u:a\nb', 'u:\u0000', `u:${'é'.repeat(256)}`]
    const entries = odd.map(user => ({ user, body: JSON.stringify({ user, text: 'grüß 💥 \u2028 "\\' }) }))
    await outbox.append(entries)
    const claimed = (await outbox.claim(ALL)).map(({ user, body }) => ({ user, body }))
    t.same(
      claimed.sort((a, b) => (a.user < b.user ? -1 : 1)),
      entries.sort((a, b) => (a.user < b.user ? -1 : 1))
    )
  })

  t.test('appending nothing is nothing', async t => {
    const outbox = await place(t)()
    t.same(await outbox.append([]), [])
    t.equal(outbox.stats().waiting, 0)
  })

  t.test('users take turns: one with many entries does not keep others waiting', async t => {
    const outbox = await place(t)()
    await outbox.append(Array.from({ length: 1000 }, (_, n) => entry('u:loop', n)))
    for (let i = 0; i < 30; i++) await outbox.append([entry(`u:${i}`, i)])
    const first = await outbox.claim({ entries: 50, bytes: 1e6 })
    t.equal(first.length, 50)
    t.equal(new Set(first.map(({ user }) => user)).size, 31, 'each of the 31 users has a part in a claim of 50')
    t.same(numbers(byUser(first, 'u:loop')), [...Array(20).keys()], 'and the rest is filled, in order')
  })

  t.test('a claim leaves users to the claims beside it', async t => {
    const outbox = await place(t)()
    for (let i = 0; i < 64; i++) await outbox.append([0, 1, 2, 3, 4].map(n => entry(`u:${i}`, n)))
    const claims = []
    for (let i = 0; i < 4; i++) claims.push(await outbox.claim({ entries: 32, bytes: 1e6 }))
    for (const claim of claims) t.equal(claim.length, 32)
    const users = claims.flatMap(claim => [...new Set(claim.map(({ user }) => user))])
    t.equal(new Set(users).size, users.length, 'no user is in two of them')
  })

  t.test('a user with claimed entries is passed over until all of them are settled', async t => {
    const outbox = await place(t)()
    await outbox.append([1, 2, 3, 4].map(n => entry('u:ann', n)))
    await outbox.append([entry('u:bob', 1)])
    const [a1, b1] = [await outbox.claim({ entries: 2, bytes: 1e6 }), await outbox.claim(ALL)]
    const all = [...a1, ...b1]
    t.equal(all.length, a1.some(({ user }) => user === 'u:bob') ? 2 : 3)
    await outbox.append([entry('u:ann', 5)])
    t.same(byUser(await outbox.claim(ALL), 'u:ann'), [])
    await outbox.acknowledge(ids(all))
    const rest = byUser(await outbox.claim(ALL), 'u:ann')
    t.same(numbers([...byUser(all, 'u:ann'), ...rest]), [1, 2, 3, 4, 5])
  })

  t.test('bounds of a claim: entries, and bytes of the array they will make', async t => {
    const outbox = await place(t)()
    for (let i = 0; i < 20; i++) await outbox.append([entry(`u:${i}`, i)])
    t.equal((await outbox.claim({ entries: 3, bytes: 1e6 })).length, 3)
    for (const bytes of [250, 777, 1e6]) {
      const claimed = await outbox.claim({ entries: 5, bytes })
      const body = `[${claimed.map(one => one.body).join(',')}]`
      t.ok(claimed.length > 0 && Buffer.byteLength(body) <= bytes, `${body.length} bytes of ${bytes}`)
    }
    await outbox.append([entry('u:big', 'x'.repeat(5000))])
    let seen = 0
    for (let claimed = await outbox.claim({ entries: 9, bytes: 1000 }); claimed.length > 0; ) {
      seen += claimed.filter(({ user }) => user === 'u:big').length
      if (claimed.some(({ user }) => user === 'u:big')) t.equal(claimed.length, 1, 'too large for any claim: alone')
      await outbox.acknowledge(ids(claimed))
      claimed = await outbox.claim({ entries: 9, bytes: 1000 })
    }
    t.equal(seen, 1)
  })

  t.test('released entries wait in their places', async t => {
    const outbox = await place(t)()
    await outbox.append([1, 2, 3, 4, 5].map(n => entry('u:ann', n)))
    const claimed = await outbox.claim({ entries: 4, bytes: 1e6 })
    const [one, two, three, four] = ids(claimed) as [EntryId, EntryId, EntryId, EntryId]
    await outbox.release([four, two])
    t.same(await outbox.claim(ALL), [], 'while others of the user are claimed, none is')
    await outbox.acknowledge([one])
    await outbox.release([three, three])
    t.same(numbers(await outbox.claim(ALL)), [2, 3, 4, 5])
  })

  t.test('settling what is not claimed does nothing', async t => {
    const outbox = await place(t)()
    const [first, second] = (await outbox.append([entry('u:ann', 1), entry('u:bob', 2)])) as [EntryId, EntryId]
    for (const settle of ['acknowledge', 'release'] as const) await outbox[settle]([first, second, 999_999, 'none'])
    await outbox.bury([{ id: first, reason }])
    t.match(outbox.stats(), { waiting: 2, claimed: 0, deadLetters: 0 })
    t.equal((await outbox.claim(ALL)).length, 2)
    await outbox.acknowledge([first, first])
    await outbox.acknowledge([first])
    await outbox.release([first])
    await outbox.bury([{ id: first, reason }])
    t.match(outbox.stats(), { waiting: 1, claimed: 1, deadLetters: 0 })
  })

  t.test('full: new ones are refused whole, none of the old is dropped', async t => {
    const outbox = await place(t)({ room: 10 })
    let taken = 0
    await t.rejects(
      async () => {
        for (; taken < 100; taken++) await outbox.append([entry('u:ann', taken)])
      },
      { ...isFull, retryAfter: Number }
    )
    t.ok(taken >= 2 && taken < 30, `${taken} fitted`)
    await t.rejects(async () => outbox.append([...Array(30).keys()].map(n => entry('u:bob', n))), isFull)
    t.equal(outbox.stats().waiting, taken)
    const claimed = await outbox.claim(ALL)
    t.same(numbers(claimed), [...Array(taken).keys()])
    await t.rejects(async () => outbox.append([entry('u:ann', 'x')]), isFull, 'claimed entries count')
    await outbox.acknowledge(ids(claimed))
    await outbox.append([entry('u:ann', 'x')])
    t.pass('what was delivered makes room')
  })

  t.test('full counts what is being written', async t => {
    const outbox = await place(t)({ room: 10 })
    const results = await Promise.allSettled([...Array(100).keys()].map(async n => outbox.append([entry('u:ann', n)])))
    const stored = results.filter(({ status }) => status === 'fulfilled').length
    t.ok(stored >= 2 && stored < 30, `${stored} fitted`)
    t.equal((await outbox.claim(ALL)).length, stored)
  })

  t.test('statistics', async t => {
    let now = 1000
    const outbox = await place(t)({ now: () => now })
    t.match(outbox.stats(), { waiting: 0, claimed: 0, bytes: 0, oldest: undefined, deadLetters: 0, writable: true })
    await outbox.append([entry('u:ann', 1)])
    now = 500
    await outbox.append([entry('u:bob', 2)])
    const { bytes } = outbox.stats()
    t.ok(bytes >= 200 && bytes < 600, `${bytes} bytes`)
    t.match(outbox.stats(), { waiting: 2, claimed: 0, oldest: 1000 }, 'the oldest came first, whatever the clock says')
    const claimed = await outbox.claim({ entries: 1, bytes: 1e6 })
    t.match(outbox.stats(), { waiting: 2, claimed: 1, bytes, oldest: 1000 })
    await outbox.acknowledge(ids(claimed))
    t.match(outbox.stats(), { waiting: 1, claimed: 0, oldest: 500 })
    await outbox.acknowledge(ids(await outbox.claim(ALL)))
    t.match(outbox.stats(), { waiting: 0, bytes: 0, oldest: undefined })
  })

  t.test('whoever waits for entries is told', async t => {
    const outbox = await place(t)()
    let told = 0
    const claimable: number[] = []
    const off = outbox.onAppend(() => {
      told++
      claimable.push(outbox.stats().waiting)
    })
    await outbox.append([entry('u:ann', 1)])
    t.equal(told, 1)
    t.same(claimable, [1], 'when there is something to claim')
    const claimed = await outbox.claim(ALL)
    await outbox.release(ids(claimed))
    off()
    await outbox.append([entry('u:ann', 2)])
    t.equal(told, 1)
  })

  t.test('start and stop twice; no append after it', async t => {
    const open = place(t)
    const outbox = await open()
    t.equal((await outbox.start()).inherited, 0)
    const last = outbox.append([entry('u:ann', 1)])
    const stopping = outbox.stop()
    await t.rejects(async () => outbox.append([entry('u:ann', 2)]), { code: 'SHUTTING_DOWN', statusCode: 503 })
    await t.resolves(async () => last, 'what was being written is written')
    await stopping
    await outbox.stop()
    t.same(await outbox.claim(ALL), [])
    t.equal(outbox.stats().writable, false)
    if (!durable) return
    t.same(numbers(await (await open()).claim(ALL)), [1])
  })

  t.test('too old', async t => {
    let now = 1_000_000
    const outbox = await place(t)({ now: () => now })
    await outbox.append([entry('u:ann', 1), entry('u:bob', 1)])
    const held = await outbox.claim({ entries: 1, bytes: 1e6 })
    now += 60_000
    await outbox.append([entry('u:ann', 2), entry('u:bob', 2)])
    t.equal(await outbox.expire(60_000), 0, 'as old as allowed is not too old')
    now += 1
    t.equal(await outbox.expire(60_000), 1, 'claimed entries are spared')
    t.match(outbox.stats(), { waiting: 3, claimed: 1, deadLetters: durable ? 1 : 0 })
    await outbox.release(ids(held))
    t.equal(await outbox.expire(60_000), 1)
    now = 0
    t.equal(await outbox.expire(60_000), 0, 'a clock that jumped back makes nothing old')
    t.same(numbers(await waiting(outbox)), [2, 2])
  })

  t.test('many too old at once', async t => {
    let now = 0
    const outbox = await place(t)({ now: () => now })
    await outbox.append(Array.from({ length: 1500 }, (_, n) => entry(`u:${n % 3}`, n)))
    now = 10
    await outbox.append([entry('u:1', 'new')])
    t.equal(await outbox.expire(9), 1500)
    t.same(numbers(await outbox.claim(ALL)), ['new'])
  })

  if (durable) {
    t.test('the queue of an earlier run is there, in order', async t => {
      const open = place(t)
      const before = await open({ now: () => 77 })
      const given = await before.append([1, 2, 3, 4, 5, 6].map(n => entry('u:ann', n)))
      await before.append([entry('u:bob', 'b')])
      const claimed = byUser(await before.claim({ entries: 5, bytes: 1e6 }), 'u:ann')
      await before.acknowledge(ids(claimed.slice(0, 2)))
      await before.release(ids(claimed.slice(2, 3)))
      await before.stop()
      const after = await open()
      t.match(after.stats(), { waiting: 5, claimed: 0, deadLetters: 0, oldest: 77, writable: true })
      t.match(await after.start(), { inherited: 5 })
      const more = await after.append([entry('u:ann', 7)])
      t.notOk(given.includes(more[0] as EntryId), 'ids are not used again')
      t.same(numbers(byUser(await after.claim(ALL), 'u:ann')), [3, 4, 5, 6, 7])
    })

    t.test('dead letters: kept with their reason, shown without data, retried, purged', async t => {
      let now = 1000
      const open = place(t)
      const outbox = await open({ now: () => now })
      await outbox.append([1, 2, 3].map(n => entry('u:ann', n)))
      const [one, two, three] = ids(await outbox.claim(ALL)) as [EntryId, EntryId, EntryId]
      now = 2000
      await outbox.bury([
        { id: one, reason },
        { id: two, reason: { code: 'X', message: 'm'.repeat(10_000), answer: 'a'.repeat(10_000) } }
      ])
      await outbox.acknowledge([three])
      t.match(outbox.stats(), { waiting: 0, claimed: 0, deadLetters: 2 })
      const { answer, ...withoutAnswer } = reason
      const [shown] = await outbox.deadLetters.list()
      t.match(shown, { receivedAt: 1000, buriedAt: 2000, bytes: Number })
      t.notOk(shown && ('body' in shown || 'user' in shown))
      t.same(shown?.reason, withoutAnswer, 'an answer may repeat the entry')
      const [first, second] = await outbox.deadLetters.list({ bodies: true })
      t.same(first?.reason, reason)
      t.same([second?.reason.message.length, second?.reason.answer?.length], [4096, 4096], 'reasons are cut')
      t.match(await outbox.deadLetters.list({ bodies: true, limit: 1 }), [{ ...entry('u:ann', 1) }])
      t.equal((await outbox.deadLetters.list({ limit: 1 })).length, 1)
      t.equal((await outbox.deadLetters.list({ after: first?.id as EntryId }))[0]?.id, second?.id)
      t.equal((first?.bytes ?? 0) + (second?.bytes ?? 0), outbox.stats().bytes)

      await outbox.stop()
      const after = await open({ now: () => now })
      t.match(after.stats(), { waiting: 0, deadLetters: 2, bytes: outbox.stats().bytes })
      let told = 0
      after.onAppend(() => told++)
      t.equal(
        await after.deadLetters.retry([String(first?.id), String(first?.id), 'none', 12345]),
        1,
        'ids may be text'
      )
      t.equal(told, 1)
      t.equal(await after.deadLetters.retry([first?.id as EntryId]), 0, 'it is none any more')
      t.equal(await after.deadLetters.purge([three]), 0, 'it never was one')
      now = 5000
      t.match(await waiting(after), [{ ...entry('u:ann', 1), receivedAt: 2000 }], 'received at the retry')
      t.equal(await after.deadLetters.retry('all'), 1)
      t.equal((await waiting(after)).length, 2)
      t.match(after.stats(), { waiting: 2, deadLetters: 0 })
      await after.bury(ids(await after.claim(ALL)).map(id => ({ id, reason })))
      const [left] = await after.deadLetters.list()
      t.equal(await after.deadLetters.purge([left?.id as EntryId]), 1)
      t.equal(await after.deadLetters.purge('all'), 1)
      t.match(after.stats(), { waiting: 0, bytes: 0, deadLetters: 0 })
      t.equal(await after.deadLetters.purge('all'), 0)
    })

    t.test('what is being buried cannot be settled otherwise', async t => {
      const outbox = await place(t)()
      await outbox.append([entry('u:ann', 1), entry('u:ann', 2)])
      const both = ids(await outbox.claim(ALL))
      const burying = outbox.bury(both.map(id => ({ id, reason })))
      await outbox.acknowledge(both)
      await outbox.release(both)
      await outbox.bury(both.map(id => ({ id, reason })))
      await burying
      t.match(outbox.stats(), { waiting: 0, claimed: 0, deadLetters: 2 })
      t.equal((await outbox.deadLetters.list()).length, 2)
    })

    t.test('many dead letters are moved in slices', async t => {
      const outbox = await place(t)()
      await outbox.append(Array.from({ length: 1000 }, (_, n) => entry(`u:${n % 10}`, n)))
      await outbox.bury(ids(await outbox.claim(ALL)).map(id => ({ id, reason })))
      t.equal((await outbox.deadLetters.list()).length, 100)
      const both = [outbox.deadLetters.retry('all'), outbox.deadLetters.retry('all')]
      t.equal(
        (await Promise.all(both)).reduce((sum, n) => sum + n),
        1000,
        'each once, although asked twice'
      )
      t.same(
        numbers(byUser(await outbox.claim(ALL), 'u:3')),
        Array.from({ length: 100 }, (_, i) => i * 10 + 3)
      )
    })

    t.test('dead letters count against the bound, and burying is never refused', async t => {
      const outbox = await place(t)({ room: 10 })
      const fill = async () => {
        for (;;) await outbox.append([entry('u:ann', 1)])
      }
      await t.rejects(fill, isFull)
      await outbox.bury(ids(await outbox.claim(ALL)).map(id => ({ id, reason })))
      t.equal(outbox.stats().waiting, 0)
      await t.rejects(async () => outbox.append([entry('u:ann', 2)]), isFull)
      await outbox.deadLetters.purge('all')
      await outbox.append([entry('u:ann', 2)])
    })

    t.test('a dead letter that expired does not expire again when it is retried', async t => {
      let now = 1000
      const outbox = await place(t)({ now: () => now })
      await outbox.append([entry('u:ann', 1)])
      now = 1_000_000
      await outbox.expire(100)
      const reason = { code: 'EXPIRED', message: 'It waited longer than 0.1 seconds.' }
      t.match(await outbox.deadLetters.list(), [{ reason, receivedAt: 1000 }])
      await outbox.deadLetters.retry('all')
      t.equal(await outbox.expire(100), 0)
      t.equal(outbox.stats().waiting, 1)
    })
  } else {
    t.test('nothing is kept of what is buried', async t => {
      const outbox = await place(t)()
      await outbox.append([entry('u:ann', 1), entry('u:ann', 2)])
      const claimed = await outbox.claim(ALL)
      await outbox.bury([{ id: (claimed[0] as Claimed).id, reason }])
      t.match(outbox.stats(), { waiting: 1, claimed: 1, deadLetters: 0 })
      t.same(await outbox.deadLetters.list(), [])
      t.equal(await outbox.deadLetters.retry('all'), 0)
      t.equal(await outbox.deadLetters.purge('all'), 0)
    })
  }

  t.test('whatever is done in whatever order, it holds to the model', async t => {
    const seed = Number(process.env.SEED ?? Date.now() % 1e9)
    t.comment(`SEED=${seed}`)
    await fc.assert(holdsToModel(t, place, durable), { seed, numRuns: durable ? 25 : 100, endOnFailure: true })
  })
}
