import t from 'tap'
import { type Answers, createSharedCounts, type Keys, type Maxima } from '../../src/guard/shared-counts.js'

const KEYS: Keys = ['a', 'r', 'e']
const MAXIMA: Maxima = [3, 2, 1]

/** A Redis that answers when the test says so. */
function rig(patience = 60_000) {
  const calls: { keys: readonly string[]; args: readonly number[]; answer(n: unknown): void; fail(): void }[] = []
  const told: (string | null)[] = []
  let ready = true
  let time = 0
  const { count, rests } = createSharedCounts({
    redis: {
      run: (keys, args) =>
        new Promise((answer, reject) => void calls.push({ keys, args, answer, fail: () => reject(new Error('no')) })),
      ready: () => ready
    },
    window: 60_000,
    patience,
    rest: 1000,
    onFallback: reason => void told.push(reason),
    now: () => time
  })
  const turn = () => new Promise(resolve => setImmediate(resolve))
  return {
    count,
    rests,
    calls,
    told,
    turn,
    away() {
      ready = false
    },
    advance(ms: number) {
      time += ms
    }
  }
}

const of = (n: number): Answers => [n, n, n, n, n, n, 1]

t.test('what comes in one turn is asked together, and each gets its own', async t => {
  const { count, calls, turn, told } = rig()
  const asked = [count(KEYS, MAXIMA, 1), count(['a2', 'r2', 'e2'], [0, 0, 0], 7)]
  t.equal(calls.length, 0)
  await turn()
  t.match(calls, [{ keys: ['a', 'r', 'e', 'a2', 'r2', 'e2'], args: [60_000, 3, 2, 1, 1, 0, 0, 0, 7] }])
  const later = count(KEYS, MAXIMA, 2)
  await turn()
  t.equal(calls.length, 1, 'who comes while Redis is asked waits for its answer')
  calls[0]!.answer([...of(1), ...of(2)])
  t.same(await Promise.all(asked), [of(1), of(2)])
  calls[1]!.answer(of(3))
  t.same(await later, of(3))
  t.same(told, [])
})

t.test('a crowd is asked about in parts', async t => {
  const { count, calls, turn } = rig()
  const asked = Array.from({ length: 120 }, () => count(KEYS, MAXIMA, 1))
  await turn()
  const sizes = () => calls.map(({ keys }) => keys.length / 3)
  t.same(sizes(), [50, 50])
  calls[1]!.answer(Array.from({ length: 50 }, (_, n) => of(n)).flat())
  await turn()
  t.same(sizes(), [50, 50, 20])
  for (const { keys, answer } of calls) answer(Array.from({ length: keys.length / 3 }, (_, n) => of(n)).flat())
  t.same(
    (await Promise.all(asked)).map(one => one?.[0]),
    Array.from({ length: 120 }, (_, n) => n % 50)
  )
})

t.test('late: nobody waits, nobody asks for a while, and what comes then does not count', async t => {
  const { count, rests, calls, told, turn, advance } = rig(500)
  t.notOk(rests())
  const asked = [count(KEYS, MAXIMA, 1), count(KEYS, MAXIMA, 1)]
  while (calls.length === 0) await turn()
  asked.push(count(KEYS, MAXIMA, 1))
  t.same(await Promise.all(asked), [undefined, undefined, undefined], 'nor who waited behind')
  t.equal(calls.length, 1)
  t.same(told, ['Redis did not answer within 500 ms'])
  t.equal(count(KEYS, MAXIMA, 1), undefined)
  t.ok(rests())
  calls[0]!.answer(of(1))
  await turn()
  t.equal(told.length, 1)
  advance(1000)
  t.notOk(rests())
  const again = count(KEYS, MAXIMA, 1)
  await turn()
  calls[1]!.fail()
  t.equal(await again, undefined, 'a failure is no news while it is known to be away')
  t.equal(told.length, 1)
  advance(1000)
  const well = count(KEYS, MAXIMA, 1)
  await turn()
  calls[2]!.answer(of(9))
  t.same(await well, of(9))
  t.same(told.slice(1), [null])
})

t.test('away: not even asked', async t => {
  const { count, rests, calls, told, turn, away } = rig()
  away()
  t.ok(rests())
  t.equal(count(KEYS, MAXIMA, 1), undefined)
  await turn()
  t.equal(calls.length, 0)
  t.same(told, ['Redis is away'])
})

t.test('an answer that is not seven numbers for each is a failure, not one of the process', async t => {
  const { count, calls, told, turn, advance } = rig()
  for (const answer of [
    1,
    null,
    'OK',
    undefined,
    {},
    [],
    of(1),
    [...of(1), ...of(2), 3],
    [...of(1), ...of(2)].map(String)
  ]) {
    const asked = [count(KEYS, MAXIMA, 1), count(KEYS, MAXIMA, 1)]
    await turn()
    calls.at(-1)!.answer(answer)
    t.same(await Promise.all(asked), [undefined, undefined], String(answer))
    advance(1000)
  }
  t.same(told, ['Redis failed'], 'said once')
  const well = count(KEYS, MAXIMA, 1)
  await turn()
  calls.at(-1)!.answer(of(3))
  t.same(await well, of(3))
})
