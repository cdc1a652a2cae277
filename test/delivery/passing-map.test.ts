import t from 'tap'
import { PassingMap } from '../../src/delivery/passing-map.js'

t.test('a Map whose places are used again, in the order of the arrivals', async t => {
  const map = new PassingMap<{ n: number }>()
  for (const n of [1, 2, 3]) map.add(n, { n })
  map.delete(2)
  map.delete(2)
  map.delete('never there')
  map.add('four', { n: 4 })
  t.same(
    [...map].map(([key, { n }]) => [key, n]),
    [
      [1, 1],
      [3, 3],
      ['four', 4]
    ]
  )
  t.same([map.size, map.has(2), map.get(2), map.get('four')], [3, false, undefined, { n: 4 }])
})
