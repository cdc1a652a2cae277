import t from 'tap'
import { BoundedMap } from '../src/bounded-map.js'

t.test('holds no more than its size, and keeps what is used', async t => {
  const map = new BoundedMap<number>(100)
  let largest = 0
  for (let i = 0; i < 10_000; i++) {
    map.set(`k${i}`, i)
    map.get('k0')
    largest = Math.max(largest, map.size)
  }
  t.ok(largest <= 100, `held ${largest}`)
  t.equal(map.get('k0'), 0)
  t.equal(map.get('k1'), undefined)
  t.equal(map.get('k9999'), 9999)
})

t.test('sets over, deletes, clears', async t => {
  const map = new BoundedMap<number>(2)
  map.set('a', 1)
  map.set('a', 2)
  t.equal(map.get('a'), 2)
  map.set('b', 1)
  map.set('a', 3)
  t.equal(map.get('a'), 3)
  map.delete('a')
  t.equal(map.get('a'), undefined)
  map.clear()
  t.equal(map.size, 0)
  t.equal(map.get('b'), undefined)
})
