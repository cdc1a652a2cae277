/**
 * A store that several processes share gives the right to send from one to another. What the first has claimed is the other's
 * then: sent from here again, it would come twice, out of its user's order, and on a budget that another spends.
 */
import t from 'tap'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { rest } from './fake-clock.js'
import { createRig } from './rig.js'
import { taken, unreachable } from './upstream.js'

/** A store whose lease the test takes away: claims find nothing any more. */
function shared() {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  const losers = new Set<() => void>()
  let mine = true
  const outbox: Outbox = {
    start: () => memory.start(),
    append: entries => memory.append(entries),
    claim: max => (mine ? memory.claim(max) : []),
    acknowledge: ids => memory.acknowledge(ids),
    release: ids => memory.release(ids),
    bury: items => memory.bury(items),
    expire: maxAge => memory.expire(maxAge),
    stats: () => memory.stats(),
    deadLetters: memory.deadLetters,
    onAppend: listener => memory.onAppend(listener),
    stop: () => memory.stop(),
    holds: () => mine,
    onLost(listener) {
      losers.add(listener)
      return () => losers.delete(listener)
    }
  }
  return {
    outbox,
    losers,
    take(told: boolean) {
      mine = false
      if (told) for (const loser of losers) loser()
    },
    giveBack() {
      mine = true
    }
  }
}

t.test('what rests for a fault is dropped at once', async t => {
  const { outbox, take, giveBack } = shared()
  const { clock, upstream, append, start } = createRig({ outbox })
  await start()
  upstream.respond = () => unreachable()
  await append('a', 3)
  await clock.advance(1000)
  t.equal(upstream.requests.length, 1)
  t.equal(outbox.stats().claimed, 3, 'it rests')
  take(true)
  t.equal(outbox.stats().claimed, 0)
  upstream.respond = () => taken()
  await clock.advance(3_600_000)
  t.equal(upstream.requests.length, 1, 'and is not sent from here')
  giveBack()
  await append('b')
  await clock.advance(1000)
  t.strictSame(upstream.ids().slice(3).toSorted(), ['a-0', 'a-1', 'a-2', 'b-0'], 'unless it is claimed here again')
})

t.test('a process that stood still asks before it goes on', async t => {
  const { outbox, take } = shared()
  const { clock, upstream, append, start } = createRig({ outbox })
  await start()
  upstream.respond = () => unreachable()
  await append('a', 3)
  await clock.advance(1000)
  take(false)
  await clock.advance(3_600_000)
  t.equal(upstream.requests.length, 1)
  t.equal(outbox.stats().claimed, 0)
})

t.test('what is under way is not sent again when it fails, and settled when it does not', async t => {
  const { outbox, take } = shared()
  const { clock, upstream, append, start, delivered } = createRig({ outbox, maxWait: 5 })
  await start()
  const answers: ((answer: ReturnType<typeof taken>) => void)[] = []
  const faults: ((error: Error) => void)[] = []
  upstream.respond = () =>
    new Promise((resolve, reject) => {
      answers.push(resolve)
      faults.push(reject)
    })
  await append('a', 2)
  await clock.advance(5)
  await append('b')
  await clock.advance(5000)
  t.equal(upstream.requests.length, 2)
  take(true)
  faults[0]!(unreachable())
  answers[1]!(taken())
  await rest()
  t.equal(delivered(), 1)
  t.match(outbox.stats(), { waiting: 2, claimed: 0 })
  await clock.advance(3_600_000)
  t.equal(upstream.requests.length, 2)
})

t.test('a sender that has stopped does not listen', async t => {
  const { outbox, losers } = shared()
  const { sender, start } = createRig({ outbox })
  await start()
  t.equal(losers.size, 1)
  await sender.stop(0)
  t.equal(losers.size, 0)
})
