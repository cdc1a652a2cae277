import t from 'tap'
import { BoundedMap } from '../src/bounded-map.js'

t.test('holds no more than its size, and keeps what is used', async t => {
  const map = new BoundedMap<number>(100)
  for (let i = 0; i < 10_000; i++) {
    map.set(`k${i}`, i)
    map.get('k0')
  }
  t.equal(map.get('k0'), 0)
  t.equal(map.get('k1'), undefined)
  t.equal(map.get('k9999'), 9999)
  const held = Array.from({ length: 10_000 }, (_, i) => map.get(`k${i}`)).filter(value => value !== undefined).length
  t.ok(held <= 100 && held >= 50, `held ${held}`)
})

t.test('sets over, deletes, clears', async t => {
  const map = new BoundedMap<number>(2)
  map.set('a', 1)
  map.set('a', 2)
  t.equal(map.get('a'), 2)
  map.set('b', 1)
  map.set('a', 3)
  t.equal(map.get('a'), 3)
  map.delete('b')
  t.equal(map.get('b'), undefined)
  map.set('b', 2)
  map.clear()
  t.equal(map.get('a'), undefined)
  t.equal(map.get('b'), undefined)
})
