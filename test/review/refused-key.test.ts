import t from 'tap'
import { createPooled } from '../../src/delivery/pooled.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import { createRig } from '../delivery/rig.js'
import { answer, taken } from '../delivery/upstream.js'

// "pooled: a fault of Logtrail is retried within POOL_TIMEOUT, then passed on". A refused key was tried again after 30 s,
// twice the default of POOL_TIMEOUT: one passing 401 of Logtrail failed everybody for half a minute.
t.test('pooled: a key that Logtrail accepts again is found within POOL_TIMEOUT', async t => {
  const { clock, upstream, budget } = createRig()
  const outbox = createMemoryOutbox({ maxEntries: 100 })
  const pooled = createPooled({
    outbox,
    client: upstream,
    budget,
    clock,
    maxBatch: 50,
    maxBytes: 100_000,
    maxWait: 5,
    timeout: 15_000,
    random: () => 1
  })
  await pooled.start()
  let count = 0
  upstream.respond = () => (++count === 1 ? answer(401, '') : taken())
  const receipt = pooled.deliver({ user: 'u:a', entries: ['{}'], bulk: false })
  await clock.advance(14_000)
  t.strictSame(await receipt.catch(error => error.code), { accepted: 1 })
  await pooled.stop(0)
})
