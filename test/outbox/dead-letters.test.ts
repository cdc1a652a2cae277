/** Dead letters from another process: beside a serve that runs, over its socket, and without one. */
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { addressIn, reachDeadLetters } from '../../src/outbox/control.js'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { openDeadLetters } from '../../src/outbox/open-dead-letters.js'
import { entry } from './behaviour.js'
import { folder } from './folder.js'

const ALL = { entries: 1_000_000, bytes: 1e9 }

async function running(t: Test, path = folder(t), options = {}) {
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, ...options })
  t.teardown(() => outbox.stop())
  await outbox.start()
  return { path, outbox }
}

async function bury(outbox: Awaited<ReturnType<typeof running>>['outbox'], count: number): Promise<void> {
  await outbox.append(Array.from({ length: count }, (_, n) => entry(`u:${n}`, n)))
  await outbox.bury((await outbox.claim(ALL)).map(({ id }) => ({ id, reason: { code: 'X', message: 'x' } })))
}

t.test('beside a serve', async t => {
  const { path, outbox } = await running(t)
  await bury(outbox, 3)
  const letters = await openDeadLetters(path)
  const listed = await letters.list()
  t.equal(listed.length, 3)
  t.match(listed[0], { reason: { code: 'X' }, receivedAt: Number, buriedAt: Number, bytes: Number })
  t.notOk('body' in (listed[0] as object))
  t.match(await letters.list({ bodies: true, limit: 1, after: listed[0]?.id as number }), [entry('u:1', 1)])
  const told = new Promise<void>(resolve => outbox.onAppend(resolve))
  t.equal(await letters.retry([listed[0]?.id as number]), 1)
  await told
  t.equal(outbox.stats().waiting, 1)
  t.equal(await letters.purge('all'), 2)
  t.same(await letters.list(), [])
  t.equal(outbox.stats().deadLetters, 0)
  await t.rejects(letters.retry(undefined as unknown as 'all'), { message: /./ }, 'what fails there fails here')
  await letters.close()
})

t.test('answers as long as they come', async t => {
  const { path, outbox } = await running(t)
  await outbox.append(
    Array.from({ length: 40 }, (_, n) => ({ user: 'u:Zoë', body: JSON.stringify({ n, text: 'é'.repeat(60_000) }) }))
  )
  await outbox.bury((await outbox.claim(ALL)).map(({ id }) => ({ id, reason: { code: 'X', message: 'x' } })))
  const letters = await openDeadLetters(path)
  const [few, listed] = await Promise.all([letters.list({ limit: 1 }), letters.list({ bodies: true })])
  t.equal(few.length, 1)
  t.same(
    listed.map(({ user, body }) => [user, JSON.parse(body as string).text.length]),
    Array(40).fill(['u:Zoë', 60_000])
  )
  await letters.close()
})

t.test('without a serve', async t => {
  const { path, outbox } = await running(t)
  await bury(outbox, 3)
  await outbox.stop()
  t.notOk(existsSync(join(path, 'control.sock')))
  const letters = await openDeadLetters(path)
  t.equal((await letters.list()).length, 3)
  t.equal(await letters.retry('all'), 3)
  t.equal(await reachDeadLetters(path), undefined, 'it does not pass for a serve')
  await letters.close()
  const { outbox: next } = await running(t, path)
  t.equal((await next.claim(ALL)).length, 3)
})

t.test('a damaged queue without a serve', async t => {
  const { path, outbox } = await running(t)
  await bury(outbox, 1)
  await outbox.stop()
  writeFileSync(join(path, 'store', 'CURRENT'), 'garbage')
  const events: object[] = []
  const letters = await openDeadLetters(path, event => events.push(event))
  t.match(events, [{ kind: 'damaged', message: /repaired/, setAside: /damaged-/ }])
  t.equal((await letters.list()).length, 1)
  await letters.close()
})

t.test('no queue at all', async t => {
  const path = join(folder(t), 'queue')
  await t.rejects(openDeadLetters(path), { message: `there is no queue at ${path}` })
  t.notOk(existsSync(path))
})

t.test('a process that has the store and does not answer', async t => {
  const { path } = await running(t, undefined, { control: false })
  await t.rejects(openDeadLetters(path, undefined, 1), { name: 'OutboxLockedError', path })
})

t.test('a serve that is just ending', async t => {
  const { path, outbox } = await running(t, undefined, { control: false })
  await bury(outbox, 1)
  const opening = openDeadLetters(path, undefined, 20)
  await outbox.stop()
  const letters = await opening
  t.equal((await letters.list()).length, 1)
  await letters.close()
})

t.test('a serve that goes away in the middle', async t => {
  const path = folder(t)
  const server = createServer(connection => connection.once('data', () => connection.destroy()))
  server.listen(join(path, 'control.sock'))
  await once(server, 'listening')
  const letters = await openDeadLetters(path)
  await t.rejects(letters.list(), { message: 'the process that holds the queue went away' })
  await letters.close()
  server.close()
})

t.test('a socket that is none', async t => {
  const path = folder(t)
  mkdirSync(join(path, 'store'))
  writeFileSync(join(path, 'control.sock'), '')
  const letters = await openDeadLetters(path)
  t.same(await letters.list(), [], 'is left over: nobody is there')
  await letters.close()
  await t.rejects(reachDeadLetters(join(path, 'control.sock')), { code: 'ENOTDIR' })
})

t.test('the socket is for its owner, and replaces one left over from a crash', async t => {
  const path = folder(t)
  writeFileSync(join(path, 'control.sock'), '')
  const { outbox } = await running(t, path)
  t.equal(statSync(join(path, 'control.sock')).mode & 0o777, 0o600)
  const letters = await openDeadLetters(path)
  const idle = connect(join(path, 'control.sock'))
  await once(idle, 'connect')
  await outbox.stop()
  t.pass('open connections do not hold up the end')
  await t.rejects(letters.list(), { message: 'the process that holds the queue went away' })
})

t.test('calls that are none', async t => {
  const { path, outbox } = await running(t)
  await bury(outbox, 1)
  const connection = connect(join(path, 'control.sock'))
  connection.setEncoding('utf8')
  for (const [line, answer] of [
    ['{"call":"drop"}', '{"error":"there is no call \\"drop\\""}\n'],
    ['hello', /^\{"error":"Unexpected token .*"\}\n$/],
    ['{"call":"retry"}', /^\{"error":".*"\}\n$/],
    ['{"call":"list","argument":{"limit":0}}', '{"result":[]}\n']
  ] as const) {
    connection.write(`${line}\n`)
    const [text] = await once(connection, 'data')
    t.match(text, answer)
  }
  connection.on('error', () => {})
  const closed = new Promise(resolve => connection.on('close', resolve))
  connection.write('x'.repeat(5 * 1024 * 1024))
  await closed
  t.equal(outbox.stats().deadLetters, 1, 'no harm done')
})

t.test('a folder too deep for a socket address', async t => {
  const path = join(folder(t), 'd'.repeat(100), 'e'.repeat(100))
  const { outbox } = await running(t, path)
  await bury(outbox, 2)
  const letters = await openDeadLetters(path)
  t.equal((await letters.list()).length, 2)
  await letters.close()

  const address = await addressIn(path, true)
  t.ok(address.path.length < 100, 'where there is no /proc, by a link')
  const connection = connect(address.path)
  await once(connection, 'connect')
  connection.destroy()
  await address.close()
  t.notOk(existsSync(address.path))
  await outbox.stop()
  t.notOk(existsSync(join(path, 'control.sock')))
})
