import t from 'tap'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { DeadReason, Outbox } from '../../src/outbox/outbox.js'
import { rest } from './fake-clock.js'
import { createRig } from './rig.js'
import { answer, entry, refused, type Sent, taken, timedOut, unreachable } from './upstream.js'

/** A request that is answered when the test says so. */
function later() {
  let resolve: (value: ReturnType<typeof answer>) => void = () => {}
  const promise = new Promise<ReturnType<typeof answer>>(done => {
    resolve = done
  })
  return { promise, resolve }
}

t.test('a batch waits for company, a full one does not', async t => {
  const { clock, upstream, append, start, delivered } = createRig()
  await start()
  await append('a', 3)
  t.equal(upstream.requests.length, 0)
  await clock.advance(999)
  t.equal(upstream.requests.length, 0)
  await clock.advance(1)
  t.strictSame(upstream.ids(), ['a-0', 'a-1', 'a-2'])
  t.match(upstream.requests, [{ route: 'bulk', requestId: 'a-request' }])
  for (let user = 0; user < 25; user++) await append(`b${user}`, 2)
  t.equal(upstream.requests.length, 2)
  t.equal(upstream.requests[1]!.ids.length, 50)
  t.equal(delivered(), 53)
  await append('c')
  await clock.advance(1000)
  t.match(upstream.requests[2], { route: 'logs', ids: ['c-0'] }, 'one alone goes by itself')
})

t.test('eager: sent as soon as nobody else comes, unless something is under way', async t => {
  const { clock, upstream, append, start } = createRig({ eager: true, maxWait: 5, requestsPerMinute: 60_000 })
  const first = later()
  upstream.respond = () => first.promise
  await start()
  await append('a')
  t.strictSame(upstream.ids(), ['a-0'], 'no time has passed')
  upstream.respond = () => taken()
  await append('b')
  t.equal(upstream.requests.length, 1, 'the answer may bring company')
  await clock.advance(5)
  t.equal(upstream.requests.length, 2, 'but is not waited for')
  await append('c')
  first.resolve(taken())
  await rest()
  t.equal(upstream.requests.length, 3)
})

t.test('as the budget drains, batches fill', async t => {
  const { clock, upstream, append, start, budget } = createRig({ maxWait: 5, eager: true })
  await start()
  const waits: number[] = []
  for (let i = 0; i < 100; i++) {
    const before = clock.now()
    await append(`u${i}`)
    while (upstream.requests.length <= i) await clock.advance(5)
    waits.push(clock.now() - before)
  }
  t.equal(waits[0], 0)
  t.ok(waits[10]! > 80, `${waits[10]}`)
  const last = waits.slice(-10)
  t.ok(
    last.every(wait => wait > 450 && wait < 560),
    `${last}`
  )
  t.ok(budget.fullness() > 0.7, 'a reserve remains for full batches and retries')
})

t.test('a start with an empty bucket is not slow: one request goes, and its answer tells', async t => {
  const { upstream, append, start, clock } = createRig({ cold: true, maxWait: 5, eager: true })
  upstream.respond = () => taken({ 'x-ratelimit-limit': '120', 'x-ratelimit-remaining': '119' })
  await start()
  await append('a')
  await append('b')
  t.equal(upstream.requests.length, 1)
  await clock.advance(50)
  t.equal(upstream.requests.length, 2)
})

t.test('bodies stay within their bytes, and batches that are full by bytes do not wait', async t => {
  const { clock, upstream, outbox, start } = createRig({ maxBytes: 1000 })
  await start()
  const body = entry('x', { pad: 'y'.repeat(150) })
  for (let i = 0; i < 12; i++) await outbox.append([{ user: `u${i}`, body }])
  await clock.advance(1000)
  await rest()
  t.ok(upstream.requests.every(sent => sent.ids.length <= 5))
  t.equal(upstream.ids().length, 12)
  for (let i = 0; i < 5; i++) await outbox.append([{ user: `v${i}`, body }])
  await rest()
  t.equal(upstream.ids().length, 17, 'at once: it knows by now how large entries are')
})

t.test('several batches at once, never two of one user; order holds over faults', async t => {
  const { clock, upstream, append, start, outcomes } = createRig({ maxBatch: 4 })
  let failing = 4
  const open = new Map<string, number>()
  let underWay = 0
  let worst = 0
  upstream.respond = sent => {
    worst = Math.max(worst, ++underWay)
    const users = [...new Set(sent.ids.map(id => id.split('-')[0]!))]
    for (const user of users) {
      if (open.has(user)) t.fail(`${user} is in two requests`)
      open.set(user, 1)
    }
    const fails = failing-- > 0
    return new Promise(resolve => {
      clock.setTimeout(() => {
        underWay--
        for (const user of users) open.delete(user)
        resolve(fails ? answer(503, '<html>') : taken())
      }, 200)
    })
  }
  await start()
  for (let user = 0; user < 40; user++) await append(`u${user}`, 10)
  await clock.advance(60_000)
  t.equal(outcomes.size, 400)
  t.equal(worst, 16)
  for (let user = 0; user < 40; user++) {
    const last = new Map<string, number>()
    upstream.ids().forEach((id, at) => void last.set(id, at))
    const places = Array.from({ length: 10 }, (_, i) => last.get(`u${user}-${i}`)!)
    t.strictSame(
      places,
      [...places].sort((a, b) => a - b),
      'each user in order'
    )
  }
})

t.test('one looping user does not starve the others', async t => {
  const { clock, upstream, append, start } = createRig()
  upstream.respond = () => new Promise(resolve => clock.setTimeout(() => resolve(taken()), 20))
  await start()
  await append('loop', 5000)
  for (let user = 0; user < 20; user++) await append(`u${user}`)
  await clock.advance(1000)
  const sentBy = upstream.ids().findLastIndex(id => !id.startsWith('loop'))
  t.ok(sentBy >= 50 && sentBy < 200, `all others were among the first ${sentBy}`)
})

t.test('an upstream that is down is asked by one request at a time, ever more rarely, and then all goes', async t => {
  const { clock, upstream, append, start, states, sender, delivered, budget } = createRig()
  upstream.respond = unreachable
  await start()
  for (let user = 0; user < 40; user++) await append(`u${user}`, 10)
  await clock.advance(3_600_000)
  t.ok(upstream.requests.length < 140 && upstream.requests.length > 100, `${upstream.requests.length} in an hour`)
  t.strictSame(states, ['upstream'])
  t.match(sender.fault(), { code: 'UPSTREAM_UNREACHABLE', statusCode: 502 })
  upstream.respond = () => taken()
  await clock.advance(30_000)
  t.equal(delivered(), 400)
  t.strictSame(states, ['upstream', null])
  t.equal(sender.fault(), undefined)
  t.ok(budget.fullness() > 0.8)
})

t.test('backoff is doubled up to 30 s, with full jitter', async t => {
  const { clock, upstream, append, start } = createRig({ random: () => 0.5 })
  upstream.respond = () => answer(500)
  await start()
  await append('a')
  await clock.advance(120_000)
  const gaps = upstream.requests.slice(1).map((sent, i) => sent.at - upstream.requests[i]!.at)
  t.strictSame(gaps.slice(0, 8), [250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000])
})

t.test('an entry over which Logtrail stumbles holds up its own user alone', async t => {
  const { clock, upstream, append, start, outcomes } = createRig()
  upstream.respond = sent => (sent.ids.includes('poison-0') ? answer(500) : taken())
  await start()
  await append('poison', 2)
  for (let user = 0; user < 60; user++) await append(`u${user}`, 2)
  await clock.advance(60_000)
  t.equal(outcomes.size, 120, 'all others')
  upstream.requests.length = 0
  let late = 0
  for (let i = 0; i < 360; i++) {
    await append('other', 1, i)
    await clock.advance(10_000)
    if (outcomes.size < 121 + i) late++
  }
  t.equal(outcomes.size, 480)
  t.ok(late < 5, `${late} of the others came late`)
  const tries = upstream.ids().filter(id => id === 'poison-0').length
  t.ok(tries > 50 && tries < 65, `tried again, once a minute: ${tries} times in an hour`)
  t.equal(upstream.ids().includes('poison-1'), false, 'in order')
  upstream.respond = () => taken()
  await clock.advance(60_000)
  t.equal(outcomes.size, 482, 'and not for ever')
})

t.test('many such entries take a twentieth of the plan, and once one of them passes the others follow', async t => {
  const { clock, upstream, append, start, outcomes, budget, states } = createRig({ random: () => 0.5 })
  upstream.respond = sent => (sent.ids.some(id => id.startsWith('poison')) ? answer(500) : taken())
  await start()
  for (let user = 0; user < 60; user++) await append(`u${user}`, 2)
  for (let user = 0; user < 40; user++) await append(`poison${user}`, 2)
  await clock.advance(1_800_000)
  t.equal(outcomes.size, 120, 'all others have passed')
  let late = 0
  for (let i = 0; i < 420; i++) {
    if (i === 60) {
      // By now it is known which they are.
      upstream.requests.length = 0
      states.length = 0
    }
    await append('other', 1, i)
    await clock.advance(10_000)
    if (outcomes.size < 121 + i) late++
  }
  t.equal(late, 0, 'nobody else waits for them')
  const tries = upstream.ids().filter(id => id.startsWith('poison')).length
  t.ok(tries > 300 && tries <= 360, `${tries} of an hour's 7,200 requests`)
  t.strictSame(states, [], 'and nobody is alarmed')
  upstream.respond = () => taken()
  await clock.advance(60_000)
  t.equal(outcomes.size, 120 + 420 + 80)
  t.ok(budget.fullness() > 0)
})

t.test('such entries in every full batch: smaller ones find a way', async t => {
  const { clock, upstream, append, start, outcomes } = createRig({ random: () => 0.5 })
  upstream.respond = sent => (sent.ids.some(id => id.startsWith('poison')) ? answer(500) : taken())
  await start()
  for (let user = 0; user < 8; user++) {
    await append(`poison${user}`, 40)
    await append(`u${user}`, 40)
  }
  await clock.advance(300_000)
  t.equal(outcomes.size, 320)
})

t.test('one that Logtrail refuses and one over which it stumbles, in one batch', async t => {
  const { clock, upstream, append, start, outcomes } = createRig()
  upstream.respond = sent => {
    if (sent.ids.includes('bad-0')) return refused()
    return sent.ids.includes('poison-0') ? answer(500) : taken()
  }
  await start()
  for (const user of ['a', 'b', 'poison', 'c', 'bad', 'd', 'e', 'f']) await append(user, 2)
  await clock.advance(300_000)
  t.equal([...outcomes.values()].filter(each => each === 'delivered').length, 13)
  t.equal([...outcomes.values()].filter(each => each === 'Validation failed.').length, 1)
  t.equal(upstream.ids().includes('poison-1') && upstream.requests.at(-1)!.ids.includes('poison-1'), false)
  upstream.respond = () => taken()
  await clock.advance(60_000)
  t.equal(outcomes.size, 16)
})

t.test('entries put aside while nothing went at all go as soon as something does', async t => {
  const { clock, upstream, append, start, delivered } = createRig({ maxBatch: 1 })
  upstream.respond = timedOut
  await start()
  for (let user = 0; user < 20; user++) await append(`u${user}`)
  await clock.advance(3_600_000)
  upstream.respond = () => taken()
  await clock.advance(35_000)
  t.equal(delivered(), 20)
})

t.test('an outage keeps few batches, asks with small ones, and mixes all anew', async t => {
  const { clock, upstream, append, start, delivered, outbox } = createRig({ maxBatch: 8 })
  const outage = later()
  upstream.respond = () => outage.promise
  await start()
  for (let user = 0; user < 400; user++) await append(`u${user}`)
  t.equal(outbox.stats().claimed, 128, '16 batches')
  outage.resolve(answer(502, '<html>'))
  await rest()
  t.equal(outbox.stats().claimed, 128, 'one more was tried, and went back')
  await clock.advance(600_000)
  t.strictSame(new Set(upstream.requests.slice(30).map(sent => sent.ids.length)), new Set([1]))
  const sizes = upstream.requests.length
  upstream.respond = () => taken()
  await clock.advance(60_000)
  t.equal(delivered(), 400)
  const after = upstream.requests.slice(sizes).map(sent => sent.ids.length)
  t.ok(after.filter(size => size === 8).length >= 40, `full again: ${after}`)
})

t.test('no key is accepted: all is held, one entry asks twice a minute, a new key at once', async t => {
  let listener = () => {}
  let keys = [{ state: 'refused' }]
  const keyring = {
    on: (_: string, fn: () => void) => {
      listener = fn
    },
    off: () => {
      listener = () => t.fail('nobody listens any more')
    },
    state: () => keys
  }
  const { clock, upstream, append, start, states, sender, delivered } = createRig({ keyring })
  upstream.respond = () => answer(401)
  await start()
  for (let user = 0; user < 20; user++) await append(`u${user}`, 5)
  await clock.advance(300_000)
  t.strictSame(states, ['key'])
  t.match(sender.fault(), { code: 'UPSTREAM_REJECTED_KEY' })
  t.equal(upstream.requests.length, 11)
  t.ok(upstream.requests.slice(1).every(sent => sent.ids.length === 1))
  listener()
  await rest()
  t.equal(upstream.requests.length, 11, 'one refused key for another is no news')
  keys = [{ state: 'unproven' }]
  upstream.respond = () => taken()
  listener()
  await clock.advance(1000)
  t.equal(delivered(), 100)
  t.strictSame(states, ['key', null])
  listener()
  await sender.stop(10)
})

t.test('429 pauses everything for its Retry-After', async t => {
  const { clock, upstream, append, start, states, delivered } = createRig()
  upstream.respond = () => answer(429, { error_code: 'RATE_LIMIT_PLAN_EXCEEDED' }, { retryAfter: '20' })
  await start()
  await append('a', 10)
  await clock.advance(1000)
  t.equal(upstream.requests.length, 1)
  t.strictSame(states, ['rate'])
  upstream.respond = () => taken()
  await append('b', 50)
  await clock.advance(19_999)
  t.equal(upstream.requests.length, 1)
  await clock.advance(5000)
  t.equal(delivered(), 60)
  t.strictSame(states, ['rate', null])
})

t.test('a spent month is asked about once an hour', async t => {
  const { clock, upstream, append, start, states, delivered } = createRig()
  upstream.respond = () => answer(429, { error: { code: 'monthly_log_limit_exceeded' } })
  await start()
  await append('a', 10)
  await clock.advance(24 * 3_600_000)
  t.ok(upstream.requests.length <= 25, `${upstream.requests.length}`)
  t.strictSame(states, ['quota'])
  clock.jump(8 * 24 * 3_600_000)
  upstream.respond = () => taken()
  await clock.advance(3_600_000)
  t.equal(delivered(), 10)
  t.strictSame(states, ['quota', null])
})

t.test('entries that Logtrail refuses are buried, each with its answer; the others go', async t => {
  const { clock, upstream, append, start, outcomes, buried, delivered, states } = createRig()
  upstream.respond = sent => {
    const errors = sent.ids.flatMap((id, log_index) =>
      id.endsWith('-3') ? [{ log_index, field: 'metadata', message: 'too deep' }] : []
    )
    return errors.length > 0 ? refused(errors) : taken()
  }
  await start()
  for (let user = 0; user < 5; user++) await append(`u${user}`, 10)
  await clock.advance(1000)
  t.equal(delivered(), 45)
  t.strictSame(buried, Array(5).fill('VALIDATION_FAILED'))
  t.equal([...outcomes.values()].filter(each => each === 'too deep').length, 5)
  t.equal(upstream.requests.length, 8, 'the whole, what precedes those that it names, each of them, and what follows')
  t.strictSame(states, [])
})

t.test('a split that meets a fault goes on where it was', async t => {
  const { clock, upstream, append, start, delivered, buried } = createRig()
  let count = 0
  upstream.respond = sent => {
    if (++count === 3) return unreachable()
    if (count === 5) return answer(429, '', { retryAfter: '3' })
    return sent.ids.includes('a-9') ? refused() : taken()
  }
  await start()
  await append('a', 16)
  await append('b', 5)
  await clock.advance(20_000)
  t.equal(delivered(), 20)
  t.equal(buried.length, 1)
})

t.test('a batch that Logtrail finds too long is halved, and remembered for an hour', async t => {
  const { clock, upstream, append, start, delivered, states, buried, outcomes } = createRig()
  let most = 20
  upstream.respond = sent =>
    sent.ids.length > most ? answer(400, { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED', message: 'many' }) : taken()
  await start()
  for (let user = 0; user < 10; user++) await append(`u${user}`, 10)
  await clock.advance(5000)
  t.equal(delivered(), 100)
  t.strictSame(
    upstream.requests.slice(0, 3).map(sent => sent.ids.length),
    [50, 25, 12]
  )
  t.ok(upstream.requests.slice(4).every(sent => sent.ids.length <= 12))
  await clock.advance(3_600_000)
  most = 50
  for (let user = 0; user < 10; user++) await append(`v${user}`, 5)
  t.equal(upstream.requests.at(-1)!.ids.length, 50)
  most = 0
  const [w] = await append('w')
  await clock.advance(2000)
  t.strictSame(buried, ['VALIDATION_BULK_LIMIT_EXCEEDED'], 'of one entry it is a refusal: what comes after it must go')
  t.equal(outcomes.get(w!), 'many')
  t.strictSame(states, [])
})

t.test('a batch that was split and is then found too long is halved where it is', async t => {
  const { clock, upstream, append, start, delivered, buried } = createRig()
  let most = 50
  upstream.respond = sent => {
    if (sent.ids.length > most) return answer(400, { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED' })
    const at = sent.ids.indexOf('a-3')
    if (at === -1) return taken()
    most = 10
    return refused([{ log_index: at, field: 'action', message: 'is bad' }])
  }
  await start()
  await append('a', 50)
  await clock.advance(20_000)
  t.equal(delivered(), 49)
  t.equal(buried.length, 1)
  t.equal(
    upstream.requests.length,
    18,
    'the whole; from the fourth on, the named one alone; what follows, in halves down to six'
  )
})

for (const [status, body] of [
  [400, ''],
  [400, 'Bad Request'],
  [413, ''],
  [413, '<html>413 Request Entity Too Large</html>'],
  [422, '{}']
] as const) {
  t.test(`refused by ${status} with "${body}": split until the offender stands alone`, async t => {
    const reasons: DeadReason[] = []
    const memory = createMemoryOutbox({ maxEntries: 1000 })
    const outbox: Outbox = {
      ...memory,
      bury: items => {
        for (const { reason } of items) reasons.push(reason)
        return memory.bury(items)
      }
    }
    const { clock, upstream, append, start, delivered, outcomes, states } = createRig({ outbox })
    upstream.respond = sent => (sent.ids.includes('bad-1') ? answer(status, body) : taken())
    await start()
    await append('a', 10)
    await append('bad', 3)
    await append('c', 10)
    await clock.advance(30_000)
    t.equal(delivered(), 22)
    t.equal(outcomes.size, 23)
    t.strictSame(reasons, [{ code: 'VALIDATION_FAILED', status, message: 'The log service refused it.', answer: body }])
    t.strictSame(states, [])
    const before = upstream.requests.length
    await append('c', 10, 10)
    await append('d', 30)
    await clock.advance(2000)
    t.equal(upstream.requests.length - before === 1, status !== 413, 'only of a 413 the size is learned')
  })
}

t.test('a body that Logtrail finds too large is split, and smaller ones follow', async t => {
  const { clock, upstream, append, start, delivered } = createRig()
  upstream.respond = sent => (sent.ids.length > 30 ? refused([], 413) : taken())
  await start()
  for (let user = 0; user < 5; user++) await append(`u${user}`, 10)
  for (let user = 0; user < 5; user++) await append(`u${user}`, 20, 10)
  await clock.advance(10_000)
  t.equal(delivered(), 150)
  t.equal(upstream.requests.filter(sent => sent.ids.length > 30).length, 1)
})

t.test('a dead letter that cannot be written is tried again, not sent again', async t => {
  const memory = createMemoryOutbox({ maxEntries: 100 })
  let failures = 2
  const outbox: Outbox = {
    ...memory,
    bury: async items => {
      if (failures-- > 0) throw new Error('disk full')
      memory.bury(items)
    },
    acknowledge: async ids => {
      memory.acknowledge(ids)
      throw new Error('disk full')
    }
  }
  const rig = createRig({ outbox })
  rig.upstream.respond = sent => (sent.ids[0] === 'a-0' ? refused() : taken())
  await rig.start()
  await rig.append('a')
  await rig.clock.advance(8000)
  t.equal(rig.upstream.requests.length, 1)
  t.equal(rig.buried.length, 0)
  await rig.clock.advance(6000)
  t.equal(rig.buried.length, 1)
  await rig.append('b')
  await rig.clock.advance(2000)
  t.equal(rig.delivered(), 1)
  t.match(rig.faults, [/disk full/, /disk full/, /disk full/])
  failures = 1
  await rig.append('a', 1)
  await rig.clock.advance(1001)
  const stopped = rig.sender.stop(100)
  await rig.clock.advance(100)
  await stopped
  await rig.clock.advance(10_000)
  t.equal(rig.clock.timers, 0)
})

t.test('a store that answers later: one claim at a time, none lost at the end', async t => {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  const gates: (() => void)[] = []
  const outbox: Outbox = {
    ...memory,
    claim: async max => {
      await new Promise<void>(resolve => void gates.push(resolve))
      return memory.claim(max)
    }
  }
  const { clock, upstream, append, start, sender, delivered } = createRig({ outbox })
  await start()
  for (let user = 0; user < 10; user++) await append(`u${user}`, 20)
  t.equal(gates.length, 1)
  for (let i = 0; i < 6; i++) {
    gates.shift()?.()
    await rest()
  }
  await clock.advance(2000)
  t.equal(delivered(), 200)
  t.equal(upstream.requests.length, 4)
  await append('late', 50)
  const stopped = sender.stop(1000)
  await clock.advance(1000)
  await stopped
  gates.shift()?.()
  await rest()
  t.equal(outbox.stats().claimed, 0)
  t.equal(outbox.stats().waiting, 50)
})

t.test('entries that another process has claimed are asked for again in a second', async t => {
  const memory = createMemoryOutbox({ maxEntries: 1000 })
  let theirs = true
  const outbox: Outbox = { ...memory, claim: max => (theirs ? [] : memory.claim(max)) }
  const { clock, upstream, append, start, delivered } = createRig({ outbox })
  await start()
  await append('a', 3)
  await clock.advance(5000)
  t.equal(upstream.requests.length, 0)
  theirs = false
  await clock.advance(2100)
  t.equal(delivered(), 3)
})

t.test('stop sends what waits without waiting for company', async t => {
  const { upstream, append, start, sender, clock } = createRig()
  await start()
  await append('a', 70)
  await append('b', 3)
  await sender.stop(5000)
  t.equal(upstream.ids().length, 73)
  await append('c')
  await clock.advance(60_000)
  t.equal(upstream.ids().length, 73)
  await sender.stop(1)
  sender.start()
})

t.test('stop within a time: what is under way then goes back', async t => {
  const { upstream, append, start, sender, clock, outbox } = createRig()
  const open = later()
  upstream.respond = () => open.promise
  await start()
  await append('a', 50)
  await append('b', 5)
  const stopped = sender.stop(3000)
  let over = false
  void stopped.then(() => {
    over = true
  })
  await clock.advance(2999)
  t.equal(over, false)
  t.equal(upstream.requests.length, 2)
  await clock.advance(1)
  t.equal(over, true)
  t.match(outbox.stats(), { waiting: 55, claimed: 0 })
})

t.test('stop does not wait for what cannot be within its time', async t => {
  for (const respond of [unreachable, () => answer(429, '', { retryAfter: '60' }), () => answer(403)]) {
    const { upstream, append, start, sender, clock, outbox } = createRig()
    upstream.respond = respond as (sent: Sent) => ReturnType<typeof answer>
    await start()
    await append('a', 60)
    await clock.advance(30_000)
    const before = clock.now()
    const stopped = sender.stop(200)
    await clock.advance(0)
    await stopped
    t.equal(clock.now(), before)
    t.equal(outbox.stats().claimed, 0)
  }
  const { sender } = createRig()
  await sender.stop(1000)
  await sender.stop(1000)
})

t.test('a date that jumps changes nothing', async t => {
  const { upstream, append, start, clock, delivered } = createRig()
  await start()
  await append('a', 5)
  clock.jump(-365 * 86_400_000)
  await clock.advance(1000)
  t.equal(delivered(), 5)
  clock.jump(3 * 365 * 86_400_000)
  await append('b', 5)
  await clock.advance(999)
  t.equal(upstream.requests.length, 1)
  await clock.advance(1)
  t.equal(delivered(), 10)
})

t.test('an error of our own is a fault like others', async t => {
  const { upstream, append, start, clock, delivered, faults, sender } = createRig()
  upstream.respond = () => new TypeError('a mistake') as never
  await start()
  await append('a')
  await clock.advance(1000)
  t.match(sender.fault(), { code: 'UPSTREAM_ERROR' })
  t.match(faults[0], { cause: { message: 'a mistake' } })
  upstream.respond = () => taken()
  await clock.advance(2000)
  t.equal(delivered(), 1)
})

t.test('an error of our own while an answer is read stops nothing', async t => {
  // As many as there may be requests under way: one that was kept among these would stop all.
  let mistakes = 16
  const { upstream, append, start, clock, faults } = createRig({
    settlement: {
      onDelivered() {
        if (mistakes-- > 0) throw new TypeError('a mistake')
      }
    }
  })
  await start()
  for (let n = 0; n < 16; n++) {
    await append('a', 1, n)
    await clock.advance(2000)
  }
  t.equal(faults.length, 16)
  t.match(faults[0], { cause: { message: 'a mistake' } })
  await append('b')
  await clock.advance(2000)
  const all = [...Array.from({ length: 16 }, (_, n) => `a-${n}`), 'b-0']
  t.strictSame(upstream.ids(), all, 'what was settled before it is not sent again')
})
