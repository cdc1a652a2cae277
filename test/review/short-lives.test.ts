import t from 'tap'
import { createQueued } from '../../src/delivery/queued.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import { createRig } from '../delivery/rig.js'
import { answer } from '../delivery/upstream.js'

// "QUEUE_MAX_AGE: too old: dead letter". Less than a minute was refused at start, and would have been noticed late.
t.test('entries that live for seconds are dead letters after seconds', async t => {
  const { clock, upstream, budget } = createRig()
  const outbox = createMemoryOutbox({ maxEntries: 100, now: clock.wall })
  const buried: [number, string][] = []
  const queued = createQueued({
    outbox,
    client: upstream,
    budget,
    clock,
    maxBatch: 50,
    maxBytes: 100_000,
    maxWait: 5,
    maxAge: 2000,
    random: () => 1,
    onBuried: (entries, code) => void buried.push([entries, code])
  })
  await queued.start()
  upstream.respond = () => answer(500, '')
  await queued.deliver({ user: 'u:a', entries: ['{}'], bulk: false })
  await clock.advance(10_000)
  t.strictSame(buried, [[1, 'EXPIRED']])
  await queued.stop(0)
})
