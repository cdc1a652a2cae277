import t from 'tap'
import { systemClock } from '../../src/clock.js'
import { Batch } from '../../src/delivery/batch.js'
import { Heap } from '../../src/delivery/heap.js'
import { createResting, type Resting } from '../../src/delivery/resting.js'
import { createTries, type Tries, type TriesOptions } from '../../src/delivery/tries.js'
import { createPlainTries } from './plain-tries.js'
import { createRandom } from './random.js'

type Create = (options: TriesOptions) => Tries

function single(id: number): Batch {
  return new Batch([{ id, user: `u${id}`, body: '{}', receivedAt: 0 }])
}

/** One run of a sender that meets all kinds of luck, told step by step. Times are whole, so that some are the same. */
function play(create: Create, seed: number, steps: number): string[] {
  const random = createRandom(seed)
  const below = (most: number) => Math.floor(random() * most)
  const chance = (share: number) => random() < share
  const told: string[] = []
  const underWay: Batch[] = []
  let now = 0
  let ids = 0
  let failures = 0
  const badLuck = 0.2 + 0.7 * random()
  const backoffs = createRandom(seed + 1)
  const clock = { ...systemClock, now: () => now }
  const share = 1 + below(20)
  const interval = () => 20
  const resting = createResting(
    {
      aside: { base: 400, most: 3000, share },
      clock,
      // backoff() multiplies by at most 3000: whole tenths of that
      random: () => Math.floor(backoffs() * 10) / 10,
      interval
    },
    create({ clock, share, interval })
  )

  function settle(batch: Batch): void {
    failures = 0
    if (chance(0.2)) batch.refused({ status: 400, code: 'X', message: '', errors: [], answer: '' })
    else batch.taken()
    resting.succeeded(batch)
    if (batch.done) return
    told.push('goes on')
    resting.add(batch)
  }

  function answer(batch: Batch): void {
    if (chance(0.1)) {
      if (batch.whole && batch.aside === 0) return
      told.push('put back')
      resting.add(batch)
    } else if (chance(badLuck)) {
      batch.faults++
      if (chance(0.7)) failures = 0
      told.push(`failed, back: ${resting.failed(batch, ++failures)}`)
    } else settle(batch)
  }

  for (let step = 0; step < steps; step++) {
    const next = resting.next()
    told.push(next === undefined ? `${now}: none` : `${now}: ${next.ids()} in ${resting.wait(next)}`)
    if (next !== undefined && resting.wait(next) <= 0 && chance(0.7)) {
      resting.remove(next)
      underWay.push(next)
    } else if (chance(0.3)) {
      const size = chance(0.5) ? 1 : 1 + below(8)
      const entries = Array.from({ length: size }, () => ({
        id: ids++,
        user: `u${below(1000)}`,
        body: '{}',
        receivedAt: 0
      }))
      resting.other()
      underWay.push(new Batch(entries))
    }
    while (underWay.length > 0 && chance(0.6)) answer(underWay.splice(below(underWay.length), 1)[0]!)
    if (chance(0.02)) {
      const rest = below(10)
      told.push(`taken: ${resting.take(batch => (batch.ids()[0] as number) % 10 === rest)}`)
    }
    if (chance(0.5)) now += 10 * below(chance(0.1) ? 200 : 6)
  }
  told.push(`all: ${resting.take(() => true)}`, `none: ${resting.take(() => true)}`)
  return told
}

t.test('tries what rests in the order in which looking at all of it would', async t => {
  const seen = { aside: 0, same: 0 }
  for (let seed = 1; seed <= 150; seed++) {
    const expected = play(createPlainTries, seed, 400)
    const found = play(createTries, seed, 400)
    const odd = expected.findIndex((line, i) => line !== found[i])
    if (odd >= 0) {
      t.same(
        found.slice(Math.max(0, odd - 5), odd + 1),
        expected.slice(Math.max(0, odd - 5), odd + 1),
        `seed ${seed}, ${odd}`
      )
      return
    }
    seen.same += found.length === expected.length ? 1 : 0
    seen.aside += expected.filter(line => / in [1-9]/.test(line)).length
  }
  t.equal(seen.same, 150)
  t.ok(seen.aside > 1000, `${seen.aside} times only such as had to wait were left`)
})

t.test('a heap gives its items in order, however they come and go', async t => {
  const random = createRandom(7)
  const found: unknown[] = []
  const expected: unknown[] = []
  for (let round = 0; round < 200; round++) {
    const heap = new Heap<number>((a, b) => a < b)
    let model: number[] = []
    for (let step = 0; step < 60; step++) {
      const value = Math.floor(random() * 50)
      const like = (each: number) => each % 5 === value % 5
      if (random() < 0.6) {
        heap.add(value)
        model = [...model, value].sort((a, b) => a - b)
      } else if (random() < 0.9) {
        found.push(heap.first, heap.shift())
        expected.push(model[0], model.shift())
      } else {
        found.push(heap.take(like).sort((a, b) => a - b))
        expected.push(model.filter(like))
        model = model.filter(each => !like(each))
      }
    }
    found.push(...model.map(() => heap.shift()), heap.shift())
    expected.push(...model, undefined)
  }
  t.same(found, expected)
})

/** Resting with so many put aside, each alone. */
function crowded(count: number, share: number, seed: number, now: () => number): Resting {
  const resting = createResting({
    aside: { base: 8000, most: 60_000, share },
    clock: { ...systemClock, now },
    random: createRandom(seed),
    interval: () => 60
  })
  for (let i = 1; i <= count; i++) {
    const batch = single(i)
    batch.suspect = true
    resting.failed(batch, 1)
  }
  return resting
}

/** The least of three, in milliseconds: others use the machine too. */
const least = (run: (seed: number) => number): number => Math.min(...[0, 1, 2].map(run))

/** Milliseconds for 200 rounds of what a sender asks while so many are put aside. */
function costOf(count: number): number {
  return least(seed => {
    let now = 1
    const resting = crowded(count, 20, seed, () => now)
    const again = () => {
      const next = resting.next()!
      resting.remove(next)
      resting.failed(next, 1)
    }
    // All are due, and wait for their share of the plan alone: each goes over to these once.
    now += 70_000
    again()
    resting.next()
    const began = performance.now()
    for (let i = 1; i <= 200; i++) {
      now += 2000
      again()
      const other = single(count + i)
      resting.failed(other, 1)
      resting.remove(other)
      resting.succeeded(other)
    }
    return performance.now() - began
  })
}

t.test('what is put aside costs a pump no more for being many', async t => {
  costOf(1000)
  const [some, many] = [costOf(1000), costOf(32_000)]
  t.ok(many < some * 8 + 2, `${some.toFixed(2)} ms with 1000, ${many.toFixed(2)} ms with 32 times as many`)
})

t.test('one of them passes, then the next, and so on to the last: each costs the same', async t => {
  const each = (count: number): number =>
    least(seed => {
      const resting = crowded(count, 0, seed, () => 1)
      const first = single(0)
      first.aside = 1
      const began = performance.now()
      resting.succeeded(first)
      for (let next = resting.next(); next !== undefined; next = resting.next()) {
        resting.remove(next)
        next.taken()
        resting.succeeded(next)
      }
      return (performance.now() - began) / count
    })
  each(500)
  const [some, many] = [each(500), each(8000)]
  t.ok(
    many < some * 6 + 0.002,
    `${(some * 1000).toFixed(2)} µs each of 500, ${(many * 1000).toFixed(2)} µs each of 8000`
  )
})
