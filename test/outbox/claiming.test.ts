import t from 'tap'
import { createClaiming } from '../../src/outbox/claiming.js'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { Engine } from '../../src/outbox/engine.js'
import { FairIndex } from '../../src/outbox/fair-index.js'
import type { EntryId } from '../../src/outbox/outbox.js'
import { PassingMap } from '../../src/outbox/passing-map.js'
import { Recent } from '../../src/outbox/recent.js'
import { entry } from './behaviour.js'
import { folder } from './folder.js'

const ALL = { entries: 1_000_000, bytes: 1e9 }

t.test('what came a moment ago is claimed at once; what was returned is read from the disk', async t => {
  const outbox = createDiskOutbox({ path: folder(t), maxBytes: 1e9, control: false })
  await outbox.start()
  t.teardown(() => outbox.stop())
  await outbox.append([entry('a', 1), entry('b', 2)])
  const first = outbox.claim(ALL)
  t.ok(Array.isArray(first), 'without a promise')
  const claimed = await first
  t.equal(claimed.length, 2)
  outbox.release(claimed.map(({ id }) => id))
  const second = outbox.claim(ALL)
  t.notOk(Array.isArray(second))
  t.same(await second, claimed)
})

t.test('more than is kept: the rest is read, every user in order', async t => {
  const outbox = createDiskOutbox({ path: folder(t), maxBytes: 1e9, control: false })
  await outbox.start()
  t.teardown(() => outbox.stop())
  const pad = 'x'.repeat(10_000)
  for (let n = 0; n < 20; n++) {
    await outbox.append(
      Array.from({ length: 50 }, (_, i) => ({ user: `u:${i % 7}`, body: JSON.stringify({ n, i, pad }) }))
    )
  }
  const claimed = await outbox.claim({ entries: 1000, bytes: 1e9 })
  t.equal(claimed.length, 1000)
  const last = new Map<string, EntryId>()
  for (const { id, user, body } of claimed) {
    t.ok((last.get(user) ?? 0) < id)
    last.set(user, id)
    const { i } = JSON.parse(body)
    if (user !== `u:${i % 7}`) t.fail(`${user} has the entry of another`)
  }
})

t.test('what cannot be read holds back what came later, or it would overtake', async t => {
  const index = new FairIndex()
  const recent = new Recent(1000)
  const claims = new PassingMap<number>()
  let readable = false
  const claim = createClaiming({
    index,
    recent,
    claims,
    engine: {
      read: async (keys: Buffer[]) => (readable ? keys.map(() => '3:u:anew') : undefined)
    } as unknown as Engine,
    keyOf: () => Buffer.alloc(0),
    buryDamaged: async () => void t.fail('nothing is lost'),
    release: ids => {
      index.giveBack(ids.map(id => claims.get(id as number) as number))
      for (const id of ids) claims.delete(id as number)
    }
  })
  t.same(claim(ALL), [])
  index.add(1, 1, 0, 10)
  index.add(1, 2, 0, 10)
  recent.keep(2, { user: 'u:a', body: 'recent' }, 10)
  t.same(await claim(ALL), [])
  t.match({ claimed: index.claimed, count: index.count }, { claimed: 0, count: 2 })
  t.equal(claims.size, 0)
  readable = true
  t.same(
    (await claim(ALL)).map(({ id, body }) => [id, body]),
    [
      [1, 'new'],
      [2, 'new']
    ]
  )
})

t.test('a bounded memory, given back as entries leave it', async t => {
  const recent = new Recent(100)
  const one = { user: 'u', body: 'b' }
  recent.keep(1, one, 60)
  recent.keep(2, one, 60)
  t.equal(recent.take(2), undefined, 'it was full')
  t.match(recent.take(1), one)
  t.equal(recent.take(1), undefined)
  recent.keep(3, one, 100)
  recent.clear()
  recent.keep(4, one, 100)
  t.equal(recent.take(3), undefined)
  t.match(recent.take(4), one)
})

t.test('entries that expire leave no room taken', async t => {
  let now = 1_000_000
  const outbox = createDiskOutbox({ path: folder(t), maxBytes: 1e9, control: false, now: () => now })
  await outbox.start()
  t.teardown(() => outbox.stop())
  const large = Array.from({ length: 900 }, () => ({ user: 'u:a', body: JSON.stringify('x'.repeat(10_000)) }))
  await outbox.append(large)
  now += 10_000
  t.equal(await outbox.expire(5000), 900)
  await outbox.append([entry('u:b', 1)])
  t.ok(Array.isArray(outbox.claim(ALL)), 'there is room again')
})
