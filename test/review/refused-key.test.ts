import t from 'tap'
import { createPool } from '../delivery/pool.js'
import { answer, taken } from '../delivery/upstream.js'

// "pooled: a fault of Logtrail is retried within POOL_TIMEOUT, then passed on". A refused key was tried again after 30 s,
// twice the default of POOL_TIMEOUT: one passing 401 of Logtrail failed everybody for half a minute.
t.test('pooled: a key that Logtrail accepts again is found within POOL_TIMEOUT', async t => {
  const { clock, upstream, pooled } = await createPool({ requestsPerMinute: 120 })
  let count = 0
  upstream.respond = () => (++count === 1 ? answer(401, '') : taken())
  const receipt = pooled.deliver({ user: 'u:a', entries: ['{}'], bulk: false })
  await clock.advance(14_000)
  t.strictSame(await receipt.catch(error => error.code), { accepted: 1 })
  await pooled.stop(0)
})
