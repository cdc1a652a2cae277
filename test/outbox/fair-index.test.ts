/** The index by itself, with more users and entries than its first columns hold. */
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
