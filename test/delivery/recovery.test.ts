import t from 'tap'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { rest } from './fake-clock.js'
import { createRig } from './rig.js'
import { answer, taken } from './upstream.js'

t.test('a 429 that comes while entries are being claimed holds them back, and nothing else', async t => {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  let claimed = () => {}
  let slow = false
  const outbox: Outbox = {
    ...memory,
    async claim(max) {
      if (slow) await new Promise<void>(resolve => (claimed = resolve))
      return memory.claim(max)
    }
  }
  const { clock, upstream, append, start, delivered, faults } = createRig({ outbox })
  let limit = () => {}
  upstream.respond = () =>
    new Promise(resolve => {
      limit = () => resolve(answer(429, {}, { retryAfter: '2' }))
    })
  await start()
  for (let user = 0; user < 50; user++) await append(`u${user}`)
  t.equal(upstream.requests.length, 1)
  slow = true
  for (let user = 50; user < 100; user++) await append(`u${user}`)
  limit()
  await rest()
  claimed()
  slow = false
  upstream.respond = () => taken({ 'x-ratelimit-limit': '120', 'x-ratelimit-remaining': '60' })
  await rest()
  t.equal(upstream.requests.length, 1, 'nothing leaves in the pause')
  await clock.advance(10_000)
  t.equal(delivered(), 100)
  t.equal(faults.length, 1)
})
