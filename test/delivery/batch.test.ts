import t from 'tap'
import { Batch, type Refusal, type Refused } from '../../src/delivery/batch.js'
import type { Claimed } from '../../src/outbox/outbox.js'
import { type Naming, namings } from './naming.js'
import { createRandom } from './random.js'

function claimed(count: number, user: (id: number) => string = () => 'u:1'): Claimed[] {
  return Array.from({ length: count }, (_, id) => ({ id, user: user(id), body: `{"id":${id}}`, receivedAt: 0 }))
}

/** Of the namings, whose luck need not be the test's. */
const random = createRandom(3)

function refusal(errors: Refusal['errors'], status = 400): Refusal {
  return { status, code: 'VALIDATION_FAILED', message: 'Validation failed.', errors, answer: '{}' }
}

/** Sends a batch until nothing of it is left. Taken whole or not at all, as Logtrail does. */
function run(count: number, isBad: (id: number) => boolean, name: Naming, status = 400, user?: (id: number) => string) {
  const batch = new Batch(claimed(count, user))
  const sent: number[][] = []
  const taken: number[] = []
  const refused: Refused[] = []
  while (!batch.done) {
    const ids = batch.current.map(entry => entry.id as number)
    sent.push(ids)
    if (sent.length > 3 * count + 3) throw new Error('does not end')
    const bad = ids.flatMap((id, index) => (isBad(id) ? [index] : []))
    if (bad.length === 0) {
      taken.push(...batch.taken().map(entry => entry.id as number))
    } else {
      const single = ids.length === 1
      const errors = single
        ? [{ log_index: null, field: 'alone', message: 'bad' }]
        : name(bad, ids.length, random).map(log_index => ({ log_index, field: `named`, message: `bad ${log_index}` }))
      refused.push(...batch.refused(refusal(errors, status)))
    }
  }
  return { sent, taken, refused }
}

const byNumber = (a: number, b: number) => a - b

t.test('every bad entry is found and no good one is, however the answers name them', async t => {
  for (const [name, how] of Object.entries(namings)) {
    const random = createRandom(7)
    for (let round = 0; round < 200; round++) {
      const count = 1 + Math.floor(random() * 50)
      const share = [0.02, 0.2, 0.9, 1][round % 4]!
      const bad = new Set(Array.from({ length: count }, (_, id) => id).filter(() => random() < share))
      const { taken, refused } = run(count, id => bad.has(id), how)
      const found = refused.map(each => each.entry.id as number).sort(byNumber)
      const expected = [...bad].sort(byNumber)
      const same = JSON.stringify(found) === JSON.stringify(expected) && taken.length === count - bad.size
      if (!same) t.fail(`${name}, round ${round}`, { found, expected, taken })
    }
    t.pass(name)
  }
})

t.test('an upstream that blames all for one: those it takes alone are not buried for it', async t => {
  const { taken, refused } = run(20, id => id === 7, namings.all!)
  t.equal(taken.length, 19)
  t.match(refused, [{ entry: { id: 7 } }])
})

t.test('without names, entries that are taken keep their order', async t => {
  const random = createRandom(11)
  for (let round = 0; round < 100; round++) {
    const bad = new Set(Array.from({ length: 3 }, () => Math.floor(random() * 64)))
    const { taken } = run(64, id => bad.has(id), namings.none!)
    t.strictSame(taken, [...taken].sort(byNumber))
  }
})

t.test('what it costs', async t => {
  const users = (id: number) => `u:${id % 10}`
  const one = run(50, id => id === 31, namings.true!)
  t.equal(one.sent.length, 4, 'named: the batch, what comes before, the one, and what comes after it')
  t.match(one.refused, [{ entry: { id: 31 }, field: 'alone', code: 'VALIDATION_FAILED', status: 400 }])
  t.equal(run(50, id => id === 0, namings.true!).sent.length, 3, 'or one less, where nothing comes before')
  t.equal(run(50, id => id === 45, namings.true!, 400, users).sent.length, 3, 'or after it, of its user')
  t.equal(
    run(50, id => id === 31 || id === 36, namings.true!, 400, users).sent.length,
    5,
    'one more for each further one'
  )
  for (const of of [users, () => 'u:1']) {
    t.equal(run(50, id => id % 2 === 0, namings.true!, 400, of).sent.length, 27, 'however they are spread')
    t.equal(run(50, () => true, namings.true!, 400, of).sent.length, 51, 'each that is refused stood alone')
  }
  t.ok(run(50, id => id === 31, namings.all!).sent.length <= 14, 'all named for one: hardly more than without names')
  const blind = Array.from({ length: 64 }, (_, bad) => run(64, id => id === bad, namings.none!).sent.length)
  t.ok(Math.max(...blind) <= 13, `without names at most ${Math.max(...blind)}`)
  t.ok(blind.reduce((a, b) => a + b) / 64 <= 10.5, 'and fewer where the left half is good')
  t.ok(run(50, id => id === 20, namings['counted from 1']!).sent.length <= 18, 'names that mislead cost a few more')
})

t.test('an entry alone is buried with the answer to itself', async t => {
  const { refused } = run(8, id => id === 5, namings.none!)
  t.match(refused, [{ entry: { id: 5 }, field: 'alone', message: 'bad', answer: '{}' }])
  const batch = new Batch(claimed(1))
  const [only] = batch.refused(refusal([]))
  t.match(only, { field: '', message: 'Validation failed.' })
  t.ok(batch.done)
})

t.test('too large a body says nothing of the other half', async t => {
  // Refused for their bytes together: any eight are too many.
  const batch = new Batch(claimed(12))
  const sizes: number[] = []
  while (!batch.done) {
    sizes.push(batch.current.length)
    if (batch.current.length >= 8) batch.refused(refusal([], 413))
    else batch.taken()
  }
  t.strictSame(sizes, [12, 6, 6])
})

t.test('knows what of it is not settled', async t => {
  const batch = new Batch(claimed(4))
  t.ok(batch.whole)
  t.strictSame(batch.ids().sort(), [0, 1, 2, 3])
  batch.refused(refusal([{ log_index: 2, field: 'action', message: 'no' }]))
  t.notOk(batch.whole)
  t.strictSame(
    batch.current.map(entry => entry.id),
    [0, 1]
  )
  t.strictSame(batch.ids().sort(), [0, 1, 2, 3], 'those that were named are still its own')
  t.strictSame(batch.taken(), claimed(4).slice(0, 2))
  t.strictSame(batch.ids().sort(), [2, 3])
  batch.refused(refusal([]))
  batch.taken()
  t.strictSame(batch.ids(), [])
  t.ok(batch.done)
})

t.test('a good entry that was named too keeps its place before the younger ones of its user', async t => {
  const { taken, refused, sent } = run(
    4,
    id => id === 0,
    () => [0, 1],
    400,
    id => (id === 0 ? 'u:ada' : 'u:bob')
  )
  t.strictSame(sent, [[0, 1, 2, 3], [0], [1], [2, 3]])
  t.strictSame(taken, [1, 2, 3])
  t.match(refused, [{ entry: { id: 0 } }])
})

t.test('whoever was not named does not wait for those who were', async t => {
  const user = (id: number) => `u:${id % 3}`
  const { sent } = run(9, id => [0, 6, 1].includes(id), namings.true!, 400, user)
  t.strictSame(sent, [[0, 1, 2, 3, 4, 5, 6, 7, 8], [2, 5, 8], [0], [1], [3, 4, 7], [6]])
})

t.test('a fault while names are followed parts what was not named, and keeps the names', async t => {
  const batch = new Batch(claimed(5, id => `u:${id % 2}`))
  batch.refused(refusal([{ log_index: 1, field: 'f', message: 'no' }]))
  const sent: unknown[] = []
  const next = () => sent.push(batch.current.map(entry => entry.id))
  next()
  t.strictSame(batch.parts(), [batch])
  next()
  const alone = batch.detach()
  t.strictSame(
    alone.entries().map(entry => entry.id),
    [2, 4, 0],
    'with all that is its user behind it'
  )
  next()
  batch.refused(refusal([]))
  next()
  batch.taken()
  t.strictSame(sent, [[0, 2, 4], [0], [1], [3]])
  t.ok(batch.done)
})

t.test('an answer is looked through once, however many entries it names', async t => {
  let looks = 0
  const error = (index: number) => ({
    get log_index() {
      looks++
      return index
    },
    field: 'f',
    message: 'm'
  })
  const batch = new Batch(claimed(1001))
  batch.refused(refusal(Array.from({ length: 1000 }, (_, i) => error(i))))
  t.ok(looks <= 2000, `${looks} looks`)
  t.equal(batch.current.length, 1)
})
