/** Nothing stands still because somebody forgot to tell the sender of it. */
import t from 'tap'
import { createAlarm } from '../../src/delivery/alarm.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { createFakeClock, rest } from './fake-clock.js'
import { createRig } from './rig.js'

t.test('entries of which nobody tells are sent some seconds late, and that is said', async t => {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  const outbox: Outbox = { ...memory, onAppend: () => () => {} }
  const { clock, upstream, append, start, sender, faults } = createRig({ outbox })
  await start()
  for (const user of ['a', 'b']) {
    await append(user, 3)
    await clock.advance(4900)
    t.equal(upstream.requests.length, user === 'a' ? 0 : 1)
    await clock.advance(1200)
  }
  t.strictSame(upstream.ids(), ['a-0', 'a-1', 'a-2', 'b-0', 'b-1', 'b-2'])
  t.match(faults, [/was not told/, /was not told/])
  await clock.advance(60_000)
  t.equal(faults.length, 2, 'and nothing is said where nothing waits')
  t.equal(clock.timers, 1)
  await sender.stop(0)
  t.equal(clock.timers, 0)
})

t.test('nor where all are told of', async t => {
  const { clock, append, start, delivered, faults } = createRig()
  await start()
  for (let i = 0; i < 20; i++) {
    await clock.advance(999)
    await append('a', 1, i)
  }
  await clock.advance(60_000)
  t.equal(delivered(), 20)
  t.strictSame(faults, [])
})

t.test('a claim that fails is a fault, and is asked for again in a second', async t => {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  let failures = 2
  const outbox: Outbox = {
    ...memory,
    claim: max => (failures-- > 0 ? Promise.reject(new Error('of ours')) : memory.claim(max))
  }
  const { clock, append, start, delivered, faults } = createRig({ outbox })
  await start()
  await append('a', 3)
  await clock.advance(5000)
  t.equal(delivered(), 3)
  t.match(faults, [/of ours/, /of ours/])
})

t.test('an alarm rings as early as it was told to, and not after it was stopped', async t => {
  const clock = createFakeClock()
  const rang: number[] = []
  let waits = false
  let missed = 0
  const alarm = createAlarm(
    clock,
    () => rang.push(clock.now()),
    () => waits,
    () => missed++
  )
  alarm.within(2000.5)
  alarm.within(500)
  alarm.within(3000)
  alarm.soon()
  alarm.soon()
  await rest()
  t.same(rang, [0])
  await clock.advance(10_000)
  t.same(rang, [0, 500])
  alarm.within(1e12)
  await clock.advance(3_600_000)
  t.same(rang, [0, 500, 3_610_000], 'a timer has an end')
  alarm.sleep()
  waits = true
  alarm.soon()
  await clock.advance(5000)
  t.equal(missed, 0, 'it was told')
  alarm.sleep()
  await clock.advance(5000)
  t.equal(missed, 1)
  alarm.sleep()
  const before = rang.length
  alarm.stop()
  alarm.soon()
  await clock.advance(10_000)
  t.equal(rang.length, before)
})
