import fc from 'fast-check'
import t from 'tap'
import { PassingMap } from '../../src/outbox/passing-map.js'

const sorted = (map: Iterable<[number, unknown]>) => [...map].sort(([a], [b]) => a - b)

t.test('answers as a Map does, whatever is done to it', async t => {
  // more keys than the first table has places, such as have one home or neighbouring ones there, and large ones
  const key = fc.oneof(
    fc.integer({ min: 0, max: 100 }),
    fc.constantFrom(0, 34, 89, 10, 65, 99, 2, 36, 91, 47, 81, 5, 60),
    fc.integer({ min: 0, max: 5 }).map(n => 2 ** 40 + n)
  )
  const deed = fc.record({ kind: fc.constantFrom('set', 'set', 'delete', 'get'), key, value: fc.nat() })
  const asMap = fc.property(fc.array(deed, { maxLength: 400, size: 'max' }), deeds => {
    const map = new PassingMap<number>()
    const model = new Map<number, number>()
    for (const { kind, key, value } of deeds) {
      if (kind === 'set') {
        map.set(key, value)
        model.set(key, value)
      } else if (kind === 'delete') {
        map.delete(key)
        model.delete(key)
      }
      if (map.get(key) !== model.get(key) || map.has(key) !== model.has(key) || map.size !== model.size) return false
    }
    return JSON.stringify(sorted(map)) === JSON.stringify(sorted(model))
  })
  t.doesNotThrow(() => fc.assert(asMap))
})

t.test('takes a burst, and gives back what it took', async t => {
  const map = new PassingMap<{ n: number }>()
  for (let n = 0; n < 10_000; n++) map.set(n, { n })
  t.equal(map.size, 10_000)
  t.same(map.get(9_999), { n: 9_999 })
  for (let n = 0; n < 10_000; n++) map.delete(n)
  t.same([map.size, [...map], map.get(1)], [0, [], undefined])
  map.set(5, { n: 5 })
  t.same([...map], [[5, { n: 5 }]])
  map.clear()
  t.same([map.size, map.has(5)], [0, false])
})

t.test('a million pass through a table that stays as small as what is in it', async t => {
  const map = new PassingMap<number>()
  for (let n = 0; n < 1_000_000; n++) {
    map.set(n, n)
    if (n >= 20) map.delete(n - 20)
  }
  t.same(
    sorted(map).map(([key]) => key),
    Array.from({ length: 20 }, (_, i) => 999_980 + i)
  )
})

t.test('who leaves first does not look through all who wait', async t => {
  const perEntry = (waiting: number): number => {
    const map = new PassingMap<number>()
    const begin = performance.now()
    for (let n = 0; n < 100_000; n++) {
      map.set(n, n)
      if (n >= waiting) map.delete(n - waiting)
    }
    return performance.now() - begin
  }
  const least = (waiting: number) => Math.min(...[1, 2, 3].map(() => perEntry(waiting)))
  least(20)
  // 1.5 to 3 here; each of 20,000 neighbours looked at made it 200
  t.ok(least(20_000) < 40 * least(20))
})
