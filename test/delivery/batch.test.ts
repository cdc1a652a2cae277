import t from 'tap'
import { Batch, type Refusal, type Refused } from '../../src/delivery/batch.js'
import type { Claimed } from '../../src/outbox/outbox.js'
import { createRandom } from './random.js'

function claimed(count: number): Claimed[] {
  return Array.from({ length: count }, (_, id) => ({ id, user: 'u:1', body: `{"id":${id}}`, receivedAt: 0 }))
}

/** How an upstream names the bad ones of a request, given their indexes in it. */
type Naming = (bad: number[], length: number) => number[]

const naming: Record<string, Naming> = {
  none: () => [],
  true: bad => bad,
  'counted from 1': bad => bad.map(index => index + 1),
  'the first only': bad => bad.slice(0, 1),
  'always the last': (_, length) => [length - 1],
  'out of range': () => [-1, 1.5, 5000]
}

function refusal(errors: Refusal['errors'], status = 400): Refusal {
  return { status, code: 'VALIDATION_FAILED', message: 'Validation failed.', errors, answer: '{}' }
}

/** Sends a batch until nothing of it is left. Taken whole or not at all, as Logtrail does. */
function run(count: number, isBad: (id: number) => boolean, name: Naming, status = 400) {
  const batch = new Batch(claimed(count))
  const sent: number[][] = []
  const taken: number[] = []
  const refused: Refused[] = []
  while (!batch.done) {
    const ids = batch.current.map(entry => entry.id as number)
    sent.push(ids)
    if (sent.length > 3 * count + 3) throw new Error('does not end')
    const bad = ids.flatMap((id, index) => (isBad(id) ? [index] : []))
    if (bad.length === 0) {
      const outcome = batch.taken()
      taken.push(...outcome.taken.map(entry => entry.id as number))
      refused.push(...outcome.refused)
    } else {
      const single = ids.length === 1
      const errors = single
        ? [{ log_index: null, field: 'alone', message: 'bad' }]
        : name(bad, ids.length).map(log_index => ({ log_index, field: `named`, message: `bad ${log_index}` }))
      refused.push(...batch.refused(refusal(errors, status)))
    }
  }
  return { sent, taken, refused }
}

const everything: Naming = (_, length) => Array.from({ length }, (_, index) => index)

const byNumber = (a: number, b: number) => a - b

t.test('every bad entry is found and no good one is, however the answers name them', async t => {
  for (const [name, how] of Object.entries(naming)) {
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
  const { taken, refused } = run(20, id => id === 7, everything)
  t.equal(taken.length, 19)
  t.match(refused, [{ entry: { id: 7 } }])
})

t.test('without names, entries that are taken keep their order', async t => {
  const random = createRandom(11)
  for (let round = 0; round < 100; round++) {
    const bad = new Set(Array.from({ length: 3 }, () => Math.floor(random() * 64)))
    const { taken } = run(64, id => bad.has(id), naming.none!)
    t.strictSame(taken, [...taken].sort(byNumber))
  }
})

t.test('what it costs', async t => {
  const one = run(50, id => id === 31, naming.true!)
  t.equal(one.sent.length, 2, 'named: the batch, and the batch without it')
  t.match(one.refused, [
    { entry: { id: 31 }, field: 'named', message: 'bad 31', code: 'VALIDATION_FAILED', status: 400 }
  ])
  t.equal(run(50, id => id % 2 === 0, naming.true!).sent.length, 2, 'however many')
  t.equal(run(50, () => true, naming.true!).sent.length, 2, 'all named: the first alone proves it')
  const blind = Array.from({ length: 64 }, (_, bad) => run(64, id => id === bad, naming.none!).sent.length)
  t.ok(Math.max(...blind) <= 13, `without names at most ${Math.max(...blind)}`)
  t.ok(blind.reduce((a, b) => a + b) / 64 <= 10.5, 'and fewer where the left half is good')
  t.ok(run(50, id => id === 20, naming['counted from 1']!).sent.length <= 18, 'names that mislead cost a few more')
})

t.test('an entry alone is buried with the answer to itself', async t => {
  const { refused } = run(8, id => id === 5, naming.none!)
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
    [0, 1, 3]
  )
  t.strictSame(batch.ids().sort(), [0, 1, 2, 3], 'those that were named are still its own')
  batch.taken()
  t.strictSame(batch.ids(), [])
  t.ok(batch.done)
})

t.test('of an answer to many, each that it named keeps the beginning; one that stood alone keeps all', async t => {
  const long = 'x'.repeat(4096)
  const named = (...indexes: number[]) =>
    indexes.map(log_index => ({ log_index, field: 'action', message: `no ${log_index}` }))
  const batch = new Batch(claimed(3))
  batch.refused({ ...refusal(named(0, 2)), answer: long })
  const { refused } = batch.taken()
  t.strictSame(
    refused.map(({ message, answer }) => [message, answer.length]),
    [
      ['no 0', 512],
      ['no 2', 512]
    ]
  )

  const all = new Batch(claimed(2))
  all.refused({ ...refusal(named(0, 1)), answer: long })
  t.strictSame(
    all.refused({ ...refusal(named(0)), answer: long }).map(({ answer }) => answer.length),
    [4096, 512],
    'the first of them was asked about once more, by itself'
  )
})

t.test('an answer is looked through once, however many entries it names; the first fault of each counts', async t => {
  let looks = 0
  const error = (index: number, message: string) => ({
    get log_index() {
      looks++
      return index
    },
    field: 'f',
    message
  })
  const batch = new Batch(claimed(1001))
  batch.refused(refusal([...Array.from({ length: 1000 }, (_, i) => error(i, `first ${i}`)), error(7, 'second')]))
  t.ok(looks <= 2002, `${looks} looks`)
  t.match(batch.taken().refused[7], { entry: { id: 7 }, message: 'first 7' })
})
