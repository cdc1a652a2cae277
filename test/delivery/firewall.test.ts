import t from 'tap'
import { createRig } from './rig.js'
import { answer, type Sent, taken } from './upstream.js'

const PAGE = '<!doctype html><title>Attention required</title>'
const KEY = { error_code: 'AUTH_API_KEY_SCOPE_MISMATCH', message: 'The key may not write.' }
const dislikes = ({ ids }: Sent) => ids.includes('mallory-0')

for (const [status, body] of [
  [403, PAGE],
  [401, PAGE],
  [403, 'error code: 1020']
] as const) {
  t.test(`a firewall that answers ${status} "${body.slice(0, 9)}" to one entry holds that one`, async t => {
    const { clock, upstream, append, start, delivered, states, outbox, sender } = createRig()
    upstream.respond = sent => (dislikes(sent) ? answer(status, body) : taken())
    await append('ann', 3)
    await append('mallory', 2)
    await append('bob', 3)
    await start()
    await clock.advance(60_000)
    t.equal(delivered(), 6, "all of the others'")
    t.strictSame(outbox.stats().deadLetters, 0)
    t.ok(
      upstream.requests.some(({ ids }) => ids.join() === 'mallory-0'),
      'it stands alone'
    )
    await append('ann', 3, 3)
    await clock.advance(10_000)
    t.equal(delivered(), 9, 'and who comes later is not held either')
    t.notOk(states.includes('key'))
    t.equal(states.at(-1), null)
    upstream.respond = () => taken()
    await clock.advance(120_000)
    t.equal(delivered(), 11, 'once it is let through it goes, and what waits behind it')
    const mallory = upstream.ids().filter(id => id.startsWith('mallory'))
    t.strictSame(mallory.slice(-2), ['mallory-0', 'mallory-1'])
    const stopped = sender.stop(0)
    await clock.advance(1)
    await stopped
  })
}

t.test("a 403 in Logtrail's own form holds everybody's, and the state says so", async t => {
  const { clock, upstream, append, start, delivered, states, sender } = createRig()
  upstream.respond = sent => (dislikes(sent) ? answer(403, KEY) : taken())
  await append('mallory')
  await start()
  await clock.advance(5000)
  t.strictSame(states, ['key'])
  upstream.respond = () => answer(403, KEY)
  await append('ann', 3)
  await clock.advance(120_000)
  t.equal(delivered(), 0)
  t.strictSame(states, ['key'])
  t.ok(upstream.requests.length < 10, 'with a probe every half minute')
  upstream.respond = () => taken()
  await clock.advance(60_000)
  t.equal(delivered(), 4)
  t.strictSame(states, ['key', null])
  const stopped = sender.stop(0)
  await clock.advance(1)
  await stopped
})
