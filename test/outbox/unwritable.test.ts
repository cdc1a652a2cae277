/**
 * What happens when the disk is full: a write that fails tells the browser so, what is stored still goes out, and when
 * there is room again all goes on without a restart. Twice: with a real full file system where this process may mount one,
 * and with a limit on the size of files, which every process may set for itself.
 */
import { EventEmitter, once } from 'node:events'
import { readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { OutboxEvent } from '../../src/outbox/engine.js'
import { entry } from './behaviour.js'
import { folder } from './folder.js'
import { limitFileSize, mountTmpfs } from './full-disk.js'

interface Way {
  name: string
  /** A path on a disk that is about to be full, and what makes room on it; or why there is none here. */
  prepare(t: Test): { path: string; makeRoom(): void } | string
}

const fullFileSystem: Way = {
  name: 'no space left on device',
  prepare(t) {
    const path = folder(t)
    if (!mountTmpfs(t, path, 'size=16m')) return 'may not mount a file system'
    writeFileSync(join(path, 'ballast'), Buffer.alloc(13 * 1024 * 1024))
    return { path, makeRoom: () => rmSync(join(path, 'ballast')) }
  }
}

const limitedFiles: Way = {
  name: 'file too large',
  prepare(t) {
    const makeRoom = limitFileSize(t, 1024 * 1024)
    return makeRoom ? { path: folder(t), makeRoom } : 'there is no prlimit'
  }
}

const ALL = { entries: 1_000_000, bytes: 1e9 }
const reason = { code: 'X', message: 'x' }

for (const way of [fullFileSystem, limitedFiles]) {
  t.test(way.name, async t => {
    const prepared = way.prepare(t)
    if (typeof prepared === 'string') return void t.plan(0, `${way.name}: ${prepared}`)
    const { path, makeRoom } = prepared
    const events = new EventEmitter()
    const report = (event: OutboxEvent) => events.emit(event.kind, event)
    let now = 1000
    const options = { path, maxBytes: 1e9, now: () => now, reopenAfter: { first: 5, longest: 20 } }
    const outbox = createDiskOutbox({ ...options, report })
    await outbox.start()

    const unwritable = once(events, 'unwritable')
    const stored: number[] = []
    const refused: number[] = []
    const faults = new Set<string>()
    for (let n = 0; refused.length === 0; n += 100) {
      const some = Array.from({ length: 100 }, (_, i) => ({
        user: `u:${i % 5}`,
        body: JSON.stringify({ n: n + i, fill: 'x'.repeat(400) })
      }))
      await Promise.all(
        some.map((one, i) =>
          outbox.append([one]).then(
            () => stored.push(n + i),
            error => {
              faults.add(`${error.code} ${error.statusCode} ${error.retryAfter}`)
              refused.push(n + i)
            }
          )
        )
      )
    }
    const [event] = await unwritable
    t.same([...faults], ['QUEUE_FULL 503 5'])
    t.match(event.message, /cannot be written: .*(space|large)/i)
    t.equal(refused.length, 100, 'those that shared the sync were all refused')
    t.match(outbox.stats(), { writable: false, fault: /space|large/i, waiting: stored.length })
    await t.rejects(outbox.append([entry('u:0', 1)]), { code: 'QUEUE_FULL' }, 'and those after it')

    // Delivery goes on.
    const claimed = await outbox.claim({ entries: 200, bytes: 1e9 })
    t.equal(claimed.length, 200)
    const delivered = claimed.slice(10)
    outbox.acknowledge(delivered.map(({ id }) => id))
    const [bad, ...good] = claimed.slice(0, 10)
    await t.rejects(outbox.bury([{ id: bad?.id as number, reason }]), { code: 'QUEUE_FULL' })
    t.match(outbox.stats(), { claimed: 10, deadLetters: 0 })
    now = 10_000
    let told = 0
    const off = outbox.onAppend(() => told++)
    t.equal(await outbox.expire(10), 0, 'nothing can expire')
    t.match(outbox.stats(), { claimed: 10, deadLetters: 0 })
    t.equal(told, 1, 'so it may be claimed again')
    off()
    await t.rejects(outbox.append([entry('u:0', 1)]), { code: 'QUEUE_FULL' })

    const writable = once(events, 'writable')
    makeRoom()
    await writable
    t.match(outbox.stats(), { writable: true, waiting: stored.length - delivered.length })
    t.notOk('fault' in outbox.stats())
    await outbox.bury([{ id: bad?.id as number, reason }])
    outbox.release(good.map(({ id }) => id))
    await outbox.append([entry('u:0', 'after')])
    await outbox.stop()

    const again = createDiskOutbox(options)
    t.match(await again.start(), { inherited: stored.length - delivered.length, damage: undefined })
    t.match(again.stats(), { deadLetters: 1 })
    const numbers = (await again.claim(ALL)).map(({ body }) => JSON.parse(body).n)
    const gone = new Set([...delivered, bad].map(one => JSON.parse(one?.body as string).n))
    t.same(
      new Set(numbers),
      new Set([...stored.filter(n => !gone.has(n)), 'after']),
      'all that was stored, none that was refused'
    )
    await again.stop()
  })
}

t.test('a dead letter whose retry cannot be written stays one', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const events = new EventEmitter()
  const options = { path, maxBytes: 1e9, reopenAfter: { first: 5, longest: 20 } }
  const outbox = createDiskOutbox({ ...options, report: event => events.emit(event.kind, event) })
  await outbox.start()
  await outbox.append([entry('u:ann', 1)])
  await outbox.bury((await outbox.claim(ALL)).map(({ id }) => ({ id, reason })))
  const unwritable = once(events, 'unwritable')
  await t.rejects(outbox.append([entry('u:bob', 'x'.repeat(2_000_000))]), { code: 'QUEUE_FULL' })
  await unwritable
  await t.rejects(outbox.deadLetters.retry('all'))
  await t.rejects(outbox.deadLetters.purge('all'))
  t.match(outbox.stats(), { waiting: 0, deadLetters: 1 })
  const writable = once(events, 'writable')
  makeRoom()
  await writable
  t.equal(await outbox.deadLetters.retry('all'), 1)
  await outbox.stop()
  const again = createDiskOutbox(options)
  t.match(await again.start(), { inherited: 1 })
  t.match(again.stats(), { deadLetters: 0 })
  await again.stop()
})

t.test('what was refused does not count against the bound', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const events = new EventEmitter()
  const options = { path, maxBytes: 3_000_000, reopenAfter: { first: 5, longest: 20 } }
  const outbox = createDiskOutbox({ ...options, report: event => events.emit(event.kind, event) })
  await outbox.start()
  const large = entry('u:bob', 'x'.repeat(2_000_000))
  await t.rejects(outbox.append([large]), { code: 'QUEUE_FULL' })
  const writable = once(events, 'writable')
  makeRoom()
  await writable
  await outbox.append([large])
  t.match(outbox.stats(), { waiting: 1 })
  await outbox.stop()
})

t.test('stopped while it cannot be written', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, reopenAfter: { first: 1, longest: 1 } })
  await outbox.start()
  const [id] = await outbox.append([entry('u:ann', 1)])
  const [stored, refused] = await Promise.allSettled([
    outbox.append([entry('u:ann', 2)]),
    outbox.append([entry('u:bob', 'x'.repeat(2_000_000))])
  ])
  t.same([stored?.status, refused?.status], ['rejected', 'rejected'])
  await outbox.claim(ALL)
  outbox.acknowledge([id as number])
  await outbox.stop()
  makeRoom()
  const again = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await again.start(), { inherited: 1 }, 'what was delivered and could not be deleted comes again')
  await again.stop()
})

t.test('what cannot be written as it stops is refused, and the store is left closed', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const timers = () => process.getActiveResourcesInfo().filter(resource => resource === 'Timeout').length
  // Without the command line's socket, whose closing takes longer than the write.
  const options = { path, maxBytes: 1e9, control: false, reopenAfter: { first: 60_000, longest: 60_000 } }
  const outbox = createDiskOutbox(options)
  await outbox.start()
  const before = timers()
  const refused = t.rejects(outbox.append([entry('u:ann', 'x'.repeat(2_000_000))]), { code: 'QUEUE_FULL' })
  await outbox.stop()
  await refused
  t.equal(timers(), before, 'nothing is left that would open it again')
  makeRoom()
  const again = createDiskOutbox(options)
  t.match(await again.start(), { inherited: 0 })
  await again.stop()
})

t.test('found damaged when it is opened again', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const events = new EventEmitter()
  const options = { path, maxBytes: 1e9, reopenAfter: { first: 5, longest: 20 } }
  const outbox = createDiskOutbox({ ...options, report: event => events.emit(event.kind, event) })
  await outbox.start()
  await outbox.append([entry('u:ann', 1)])
  await t.rejects(outbox.append([entry('u:bob', 'x'.repeat(2_000_000))]), { code: 'QUEUE_FULL' })
  const store = join(path, 'store')
  writeFileSync(join(store, readdirSync(store).filter(name => name.startsWith('MANIFEST'))[0] as string), 'garbage')
  const seen = Promise.all([once(events, 'damaged'), once(events, 'writable')])
  makeRoom()
  const [[damaged]] = await seen
  t.match(damaged, { message: /repaired/, setAside: /damaged-/ })
  t.match(outbox.stats(), { writable: true, waiting: 1 })
  t.equal((await outbox.claim(ALL)).length, 1)
  await outbox.stop()
})

t.test('while it is being opened again nothing is claimed, and nothing is lost', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const events = new EventEmitter()
  const options = { path, maxBytes: 1e9, reopenAfter: { first: 5, longest: 20 } }
  const outbox = createDiskOutbox({ ...options, report: event => events.emit(event.kind, event) })
  await outbox.start()
  await outbox.append([1, 2, 3].map(n => entry('u:ann', n)))
  const [held] = await outbox.claim({ entries: 1, bytes: 1e6 })
  outbox.release([held?.id as number])
  await t.rejects(outbox.append([entry('u:bob', 'x'.repeat(2_000_000))]), { code: 'QUEUE_FULL' })
  const writable = once(events, 'writable')
  makeRoom()
  let again = false
  const faults = new Set<string>()
  void writable.then(() => {
    again = true
  })
  let [most, nothing] = [0, 0]
  while (!again) {
    const claimed = await outbox.claim(ALL)
    if (claimed.length === 0) nothing++
    most = Math.max(most, claimed.length)
    if (claimed.length > 0 && outbox.stats().writable === false) {
      await outbox.bury([{ id: claimed[0]?.id as number, reason }]).catch(error => faults.add(error.code))
    }
    outbox.release(claimed.map(({ id }) => id))
    await outbox.deadLetters.list().catch(error => faults.add(error.message))
    await new Promise(setImmediate)
  }
  t.ok(nothing > 0 && most > 0, `${nothing} claims found nothing, others ${most} entries`)
  t.same([...faults].sort(), ['QUEUE_FULL', 'the queue cannot be read at the moment'])
  t.equal((await outbox.claim(ALL)).length, outbox.stats().waiting)
  t.equal(outbox.stats().waiting + outbox.stats().deadLetters, 3)
  await outbox.stop()
})

t.test('moves that fail while they are written have not happened', async t => {
  const prepared = limitedFiles.prepare(t)
  if (typeof prepared === 'string') return void t.plan(0, prepared)
  const { path, makeRoom } = prepared
  const events = new EventEmitter()
  const options = { path, maxBytes: 1e9, reopenAfter: { first: 5, longest: 20 } }
  const begin = async () => {
    const outbox = createDiskOutbox({ ...options, report: event => events.emit(event.kind, event) })
    await outbox.start()
    return outbox
  }
  const heal = async (move: Promise<unknown>, limit: () => void) => {
    await t.rejects(move, { code: 'QUEUE_FULL' })
    const writable = once(events, 'writable')
    makeRoom()
    await writable
    limit()
  }
  const limit = () => void limitFileSize(t, 1024 * 1024)

  // Half a megabyte goes into the log once, and not a second time.
  const outbox = await begin()
  await outbox.append([entry('u:ann', 'x'.repeat(600_000))])
  const [claimed] = await outbox.claim(ALL)
  await heal(outbox.bury([{ id: claimed?.id as number, reason }]), limit)
  t.match(outbox.stats(), { waiting: 1, claimed: 1, deadLetters: 0 })
  await outbox.stop()

  makeRoom()
  const second = await begin()
  t.match(second.stats(), { waiting: 1, deadLetters: 0 })
  await second.bury((await second.claim(ALL)).map(({ id }) => ({ id, reason })))
  limit()
  await heal(second.deadLetters.retry('all'), () => {})
  t.match(second.stats(), { waiting: 0, deadLetters: 1 })
  await second.stop()
  const third = await begin()
  t.match(third.stats(), { waiting: 0, deadLetters: 1 })
  t.match(await third.deadLetters.list({ bodies: true }), [entry('u:ann', 'x'.repeat(600_000))])
  await third.stop()
})
