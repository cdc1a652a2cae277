/** Places where a queue cannot be, and what `start` says of them. */
import { execFileSync, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { OutboxEvent } from '../../src/outbox/engine.js'
import { OutboxLockedError, OutboxUnusableError } from '../../src/outbox/outbox.js'
import { entry } from './behaviour.js'
import { child, childEnv } from './child.js'
import { folder } from './folder.js'
import { limitFileSize, mountTmpfs } from './full-disk.js'

const open = (path: string) => createDiskOutbox({ path, maxBytes: 1e9 })
const ALL = { entries: 1_000_000, bytes: 1e9 }

t.test('a folder is made, for its owner alone', async t => {
  const path = join(folder(t), 'data', 'queue')
  const outbox = open(path)
  await outbox.start()
  t.equal(statSync(path).mode & 0o777, 0o700)
  t.equal(statSync(join(path, 'store')).mode & 0o777, 0o700)
  await outbox.stop()
})

t.test('a folder that is there keeps its mode, the entries are hidden all the same', async t => {
  const path = folder(t)
  chmodSync(path, 0o755)
  const outbox = open(path)
  await outbox.start()
  t.equal(statSync(path).mode & 0o777, 0o755)
  t.equal(statSync(join(path, 'store')).mode & 0o777, 0o700)
  await outbox.stop()
})

t.test('the path is a file', async t => {
  const path = join(folder(t), 'queue')
  writeFileSync(path, 'precious')
  const start = open(path).start()
  await t.rejects(start, {
    name: 'OutboxUnusableError',
    message: `QUEUE_PATH ${path} cannot be used: EEXIST: file already exists, mkdir '${path}'`,
    path
  })
  await t.rejects(start, OutboxUnusableError)
  t.equal(readFileSync(path, 'utf8'), 'precious')
})

t.test('the path lies below a file', async t => {
  const file = join(folder(t), 'file')
  writeFileSync(file, '')
  await t.rejects(open(join(file, 'queue')).start(), { message: /QUEUE_PATH .* cannot be used: ENOTDIR/ })
})

t.test('the path lies where nothing can be made', async t => {
  const at = folder(t)
  symlinkSync(join(at, 'nowhere'), join(at, 'link'))
  const places = [join(at, 'link', 'queue'), join(at, 'link', 'data', 'queue'), join(at, 'link')]
  if (process.platform === 'linux') places.push('/proc/queue')
  for (const path of places) {
    await t.rejects(open(path).start(), { message: new RegExp(`QUEUE_PATH ${path} cannot be used: E`) })
  }
})

t.test('the path may not be written by this user', async t => {
  const path = folder(t)
  chmodSync(path, 0o555)
  if (process.getuid?.() === 0) {
    // Root may write everywhere: be somebody else for a while.
    process.seteuid?.(65_534)
    t.teardown(() => process.seteuid?.(0))
  }
  await t.rejects(open(path).start(), { message: /QUEUE_PATH .* cannot be used: EACCES/ })
})

t.test('the file system is read-only', async t => {
  const path = folder(t)
  if (!mountTmpfs(t, path, 'size=16m')) return void t.plan(0, 'may not mount a file system')
  const first = open(path)
  await first.start()
  await first.append([entry('u:ann', 1)])
  await first.stop()
  execFileSync('mount', ['-o', 'remount,ro', path])
  const outbox = open(path)
  await t.rejects(outbox.start(), { message: /QUEUE_PATH .* cannot be used: EROFS/ })
  execFileSync('mount', ['-o', 'remount,rw', path])
  t.match(await outbox.start(), { inherited: 1, damage: undefined }, 'a start that failed may be tried again')
  await outbox.stop()
})

t.test('the disk is so full that the queue cannot be opened', async t => {
  const path = folder(t)
  const first = open(path)
  await first.start()
  await first.append([entry('u:ann', randomBytes(400_000).toString('base64'))])
  await first.stop()
  const makeRoom = limitFileSize(t, 100_000)
  if (makeRoom === undefined) return void t.plan(0, 'there is no prlimit')
  await t.rejects(open(path).start(), {
    name: 'OutboxUnusableError',
    message: /QUEUE_PATH .* cannot be used: .*too large/i
  })
  makeRoom()
  t.same(
    readdirSync(path).filter(name => name !== 'store'),
    [],
    'nothing was put aside'
  )
  const outbox = open(path)
  t.match(await outbox.start(), { inherited: 1, damage: undefined })
  await outbox.stop()
})

t.test('the file system has no links between the store and its folder', async t => {
  const path = folder(t)
  mkdirSync(join(path, 'store'))
  if (!mountTmpfs(t, join(path, 'store'), 'size=16m')) return void t.plan(0, 'may not mount a file system')
  const first = open(path)
  await first.start()
  await first.append([entry('u:ann', 1)])
  await first.stop()
  const outbox = open(path)
  t.match(await outbox.start(), { inherited: 1 })
  await outbox.stop()
  t.same(readdirSync(path), ['store'])
})

t.test('the path is so long that a file of the store can have no second name beside it', async t => {
  const most = process.platform === 'linux' ? 4096 : 1024
  // Room for `store/000003.log`, but not for its link in the folder that keeps the files as they were before.
  const path = (folder(t) + '/deep'.repeat(most / 5)).slice(0, most - 26).replace(/\/$/, '_')
  mkdirSync(join(path, 'store'), { recursive: true })
  writeFileSync(join(path, 'store', '000003.log'), 'kept')
  await t.rejects(open(path).start(), { code: 'ENAMETOOLONG' })
  t.same(readdirSync(join(path, 'store')), ['000003.log'], 'and nothing there was touched')
})

t.test('two of one process', async t => {
  const path = folder(t)
  const first = open(path)
  await first.start()
  const second = open(path)
  await t.rejects(second.start(), new OutboxLockedError(path))
  t.ok(new OutboxLockedError(path) instanceof OutboxUnusableError)
  t.match(new OutboxLockedError(path), { path, message: new RegExp(`QUEUE_PATH ${path} is in use by another process`) })
  await first.append([entry('u:ann', 1)])
  await second.stop()
  await first.stop()
  t.same(readdirSync(path), ['store'])
})

t.test('two processes', async t => {
  const path = folder(t)
  const other = spawn(process.execPath, [...child('hold.ts'), path], {
    env: childEnv,
    stdio: ['pipe', 'pipe', 'inherit']
  })
  t.teardown(() => other.kill('SIGKILL'))
  const [line] = await once(other.stdout, 'data')
  t.equal(String(line), 'holds\n')
  await t.rejects(open(path).start(), { name: 'OutboxLockedError' })
  other.stdin.end()
  const [code] = await once(other, 'exit')
  t.equal(code, 0)
  const outbox = open(path)
  t.match(await outbox.start(), { inherited: 1, damage: undefined }, 'the one that was refused harmed nothing')
  await outbox.stop()
})

t.test('stopped without having started', async t => {
  const path = join(folder(t), 'queue')
  const outbox = open(path)
  t.equal(outbox.stats().writable, false)
  await outbox.stop()
  await outbox.stop()
  t.throws(() => statSync(path), { code: 'ENOENT' })
})

t.test('settled after the end', async t => {
  const path = folder(t)
  const outbox = open(path)
  await outbox.start()
  await outbox.append([entry('u:ann', 1), entry('u:bob', 2), entry('u:cat', 3)])
  const ids = (await outbox.claim(ALL)).map(({ id }) => id)
  await outbox.stop()
  outbox.acknowledge(ids.slice(0, 1))
  outbox.release(ids.slice(1, 2))
  await t.rejects(outbox.bury(ids.map(id => ({ id, reason: { code: 'X', message: 'x' } }))), { code: 'QUEUE_FULL' })
  const again = open(path)
  t.match(await again.start(), { inherited: 3 }, 'comes too late: all of it waits again')
  await again.stop()
})

t.test('stopped while it starts', async t => {
  const outbox = open(folder(t))
  const started = outbox.start()
  await outbox.stop()
  await started
  t.same(await outbox.claim(ALL), [])
  await t.rejects(outbox.append([entry('u:ann', 1)]), { code: 'SHUTTING_DOWN' })
})

t.test('the socket of the command line cannot be made', async t => {
  const path = folder(t)
  mkdirSync(join(path, 'control.sock', 'in'), { recursive: true })
  const events: OutboxEvent[] = []
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, report: event => events.push(event) })
  await outbox.start()
  t.match(events, [{ kind: 'no-control', message: /dead letters cannot be looked after while this runs: / }])
  await outbox.append([entry('u:ann', 1)])
  t.equal((await outbox.claim(ALL)).length, 1, 'all else goes on')
  await outbox.stop()
})
