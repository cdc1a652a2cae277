import t from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { behaves, entry } from './behaviour.js'
import { folder } from './folder.js'

behaves(t, {
  durable: true,
  place: t => {
    const path = folder(t)
    return async ({ now = Date.now, room = 1_000_000 } = {}): Promise<Outbox> => {
      const outbox = createDiskOutbox({ path, maxBytes: room * 160, now })
      t.teardown(() => outbox.stop())
      await outbox.start()
      return outbox
    }
  }
})

t.test('while old entries of a user are being buried, the user is passed over', async t => {
  let now = 0
  const outbox = createDiskOutbox({ path: folder(t), maxBytes: 1e9, now: () => now })
  t.teardown(() => outbox.stop())
  await outbox.start()
  await outbox.append([entry('u:ann', 1), entry('u:bob', 1)])
  now = 100
  await outbox.append([entry('u:ann', 2), entry('u:cat', 2)])
  const expiring = outbox.expire(50)
  const claimed = await outbox.claim({ entries: 9, bytes: 1e6 })
  t.same(
    claimed.map(({ user }) => user),
    ['u:cat']
  )
  t.equal(await expiring, 2)
  t.match(await outbox.claim({ entries: 9, bytes: 1e6 }), [entry('u:ann', 2)])
})
