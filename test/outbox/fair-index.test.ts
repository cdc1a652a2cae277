/** The index by itself, with more users and entries than its first columns hold. */
import fc from 'fast-check'
import t from 'tap'
import { FairIndex } from '../../src/outbox/fair-index.js'
import { queueNumber, Users } from '../../src/outbox/users.js'

t.test('as many users as entries, coming and going', async t => {
  const index = new FairIndex()
  const rowOf = new Map<number, number>()
  const taken: number[] = []
  let sequence = 0
  for (let round = 0; round < 20; round++) {
    for (let i = 0; i < 5000; i++) {
      const row = index.add(queueNumber(`u:${(sequence * 31) % 40_009}`), ++sequence, sequence, 100, sequence)
      rowOf.set(sequence, row)
    }
    const rows = index.take(4000, 1e9)
    taken.push(...rows.map(row => index.sequence[row] as number))
    for (const row of rows) {
      if (index.mark[row] !== index.sequence[row]) t.fail('a row holds what belongs to another')
      if (index.queueOf(row) !== queueNumber(`u:${(((index.sequence[row] as number) - 1) * 31) % 40_009}`))
        t.fail('of another user')
    }
    index.settle(rows)
  }
  for (let rows = index.take(1000, 1e9); rows.length > 0; rows = index.take(1000, 1e9)) {
    taken.push(...rows.map(row => index.sequence[row] as number))
    index.settle(rows)
  }
  t.equal(new Set(taken).size, 100_000)
  t.equal(taken.length, 100_000)
  t.match(index, { count: 0, claimed: 0, bytes: 0 })
  t.equal(index.oldest, undefined)
})

t.test('each user has their entries in order, whatever is done to them and in whichever rows they stand', async t => {
  type Entry = { row: number; user: number; sequence: number }
  const deed = fc.record({
    kind: fc.constantFrom('add', 'add', 'add', 'take', 'takeOne', 'withdraw', 'giveBack', 'settle'),
    user: fc.integer({ min: 1, max: 3 }),
    which: fc.array(fc.nat(), { minLength: 1, maxLength: 6 })
  })
  const asModel = fc.property(fc.array(deed, { minLength: 20, maxLength: 200 }), deeds => {
    const index = new FairIndex()
    let waiting: Entry[] = []
    let claimed: Entry[] = []
    let sequence = 0
    // Rows are named in any order, and more than once.
    const pick = (from: Entry[], which: number[]) =>
      from.length === 0 ? [] : which.map(n => from[n % from.length] as Entry)
    const take = (entries: number) => {
      const rows = index.take(entries, 1e9)
      for (const user of [1, 2, 3]) {
        const theirs = rows.filter(row => index.queueOf(row) === user)
        const wait = waiting.filter(entry => entry.user === user)
        const passedOver = claimed.some(entry => entry.user === user)
        const due = passedOver ? 0 : entries === Infinity ? wait.length : theirs.length
        const first = wait.slice(0, due).map(entry => entry.row)
        if (JSON.stringify(theirs) !== JSON.stringify(first)) throw new Error(`${theirs} and not ${first}`)
      }
      claimed.push(...waiting.filter(entry => rows.includes(entry.row)))
      waiting = waiting.filter(entry => !rows.includes(entry.row))
    }
    const settle = (gone: Entry[]) => {
      index.settle(gone.map(entry => entry.row))
      claimed = claimed.filter(entry => !gone.includes(entry))
    }
    for (const { kind, user, which } of deeds) {
      const [n] = which as [number]
      if (kind === 'add') waiting.push({ row: index.add(user, ++sequence, sequence, 1), user, sequence })
      else if (kind === 'take') take(n % 8)
      else if (kind === 'giveBack') {
        const back = pick(claimed, which)
        index.giveBack(back.map(entry => entry.row))
        claimed = claimed.filter(entry => !back.includes(entry))
        waiting = [...new Set([...waiting, ...back])].sort((a, b) => a.sequence - b.sequence)
      } else if (kind === 'settle') settle([...new Set(pick(claimed, which))])
      else {
        for (const entry of new Set(pick(waiting, which))) {
          waiting = waiting.filter(other => other !== entry)
          if (kind === 'withdraw') index.withdraw(entry.row)
          else {
            index.takeOne(entry.row)
            claimed.push(entry)
          }
        }
      }
      if (index.count !== waiting.length + claimed.length || index.claimed !== claimed.length) return false
    }
    take(Infinity)
    settle(claimed)
    take(Infinity)
    return waiting.length === 0
  })
  t.doesNotThrow(() => fc.assert(asModel))
})

t.test("an entry that leaves or comes back does not look through its user's others", async t => {
  const ENTRIES = 30_000
  // The least time that the same number of entries takes, of so many users.
  const least = (users: number, deed: (index: FairIndex, rows: number[]) => () => void) => {
    const once = () => {
      const index = new FairIndex()
      // Somebody stays, so that the index is never empty and its rows are used again: backwards, the last freed first.
      index.add(-1, 1, 1, 1)
      const freed = Array.from({ length: ENTRIES }, (_, i) => index.add(-2, i + 2, 1, 1))
      for (const row of freed) index.withdraw(row)
      const rows = freed.map((_, i) => index.add(i % users, ENTRIES + i + 2, 1, 1))
      const timed = deed(index, rows)
      const begin = performance.now()
      timed()
      return performance.now() - begin
    }
    return Math.min(...[1, 2, 3].map(once))
  }
  const ways: Record<string, Parameters<typeof least>[1]> = {
    'claimed by row': (index, rows) => () => rows.reverse().forEach(row => void index.takeOne(row)),
    'withdrawn by row': (index, rows) => () => rows.reverse().forEach(row => void index.withdraw(row)),
    'given back': index => {
      const taken = index.take(ENTRIES, 1e9)
      return () => index.giveBack(taken)
    }
  }
  for (const [name, way] of Object.entries(ways)) {
    least(300, way)
    // 1 or less here; a walk over one user's others made it 200 to 400
    t.ok(least(1, way) < 40 * least(300, way), name)
  }
})

t.test('a long queue gives its memory back once it is empty', async t => {
  const index = new FairIndex()
  for (let n = 1; n <= 100_000; n++) index.add(n % 7, n, n, 1)
  t.ok(index.sequence.length >= 100_000)
  index.settle(index.take(100_000, 1e9))
  t.ok(index.sequence.length < 5000)
  index.add(1, 100_001, 1, 1)
  t.equal(index.take(9, 1e9).length, 1)
})

t.test('users who share a number share a queue', async t => {
  const index = new FairIndex()
  index.add(5, 1, 1, 1)
  index.add(5, 2, 1, 1)
  index.add(5 + 2 ** 32, 3, 1, 1)
  const rows = index.take(9, 1e9)
  t.same(
    rows.map(row => index.sequence[row]),
    [1, 3, 2],
    'numbers that only begin alike do not'
  )
})

t.test('rows of users are found again however many share a place in the table', async t => {
  const users = new Users(4)
  const numbers = Array.from({ length: 300 }, (_, i) => (i % 3) + 2 ** 20 * i)
  const rows = new Map(numbers.map(number => [number, users.row(number)]))
  t.equal(new Set(rows.values()).size, 300)
  for (const [i, number] of numbers.entries()) {
    // Nobody has entries: whoever is tended is forgotten.
    if (i % 2 === 0) users.tend(rows.get(number) as number)
  }
  for (const [i, number] of numbers.entries()) {
    if (i % 2 === 1) t.equal(users.row(number), rows.get(number))
  }
})

t.test('queue numbers are part of the format', async t => {
  t.same(
    ['', 'u:ann', 'a:192.0.2.7', 'u:Zoë 💥'].map(queueNumber),
    [3338908027751811, 6924690856898971, 7303225959038730, 7638169535095204]
  )
})
