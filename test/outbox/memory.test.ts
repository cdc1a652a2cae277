import t from 'tap'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import { behaves, entry } from './behaviour.js'

behaves(t, {
  durable: false,
  place:
    () =>
    async ({ now = Date.now, room = 1_000_000 } = {}) => {
      const outbox = createMemoryOutbox({ maxEntries: room, now })
      await outbox.start()
      return outbox
    }
})

t.test('what nobody waits for any more is withdrawn, and what is on its way no longer counts', async t => {
  const outbox = createMemoryOutbox({ maxEntries: 10 })
  const [one, two, three] = outbox.append([entry('u:ann', 1), entry('u:ann', 2), entry('u:bob', 3)])
  const claimed = outbox.claim({ entries: 1, bytes: 1e6 })
  t.equal(claimed[0]?.id, one)
  t.same(outbox.withdraw([one as number, two as number, three as number, 99, two as number]), [one, two, three])
  const nothing = { waiting: 0, claimed: 0, bytes: 0, oldest: undefined }
  t.match(outbox.stats(), nothing)
  outbox.append([entry('u:ann', 4)])
  const [four] = outbox.claim({ entries: 9, bytes: 1e6 })
  t.ok(four, 'its user is free')
  outbox.release([one as number])
  outbox.acknowledge([one as number])
  t.match(outbox.stats(), { waiting: 1, claimed: 1 }, 'whoever claimed it settles nothing any more')
  outbox.acknowledge([four!.id])
  t.match(outbox.stats(), nothing)
})

t.test('bounded by entries', async t => {
  const outbox = createMemoryOutbox({ maxEntries: 3 })
  outbox.append([entry('u:ann', 1), entry('u:ann', 2)])
  t.throws(() => outbox.append([entry('u:ann', 3), entry('u:ann', 4)]), { code: 'QUEUE_FULL', retryAfter: 1 })
  outbox.append([entry('u:ann', 3)])
  t.throws(() => outbox.append([entry('u:ann', 4)]), { code: 'QUEUE_FULL' })
})
