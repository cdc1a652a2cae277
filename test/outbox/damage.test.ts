/** A damaged store starts with what can be read, says so, and keeps the rest: one test for each way to be damaged. */
import { createHash } from 'node:crypto'
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { OutboxEvent } from '../../src/outbox/engine.js'
import { entry } from './behaviour.js'
import { folder } from './folder.js'

const ALL = { entries: 1_000_000, bytes: 1e9 }
const COUNT = 20_000

/** Text that does not compress, so that LevelDB stores it as it is. */
function random(seed: number, length: number): string {
  return createHash('shake256', { outputLength: length }).update(`${seed}`).digest('base64').slice(0, length)
}

const template = folder(t)

t.before(async () => {
  const outbox = createDiskOutbox({ path: template, maxBytes: 1e9 })
  await outbox.start()
  for (let n = 0; n < COUNT; n += 1000) {
    const some = Array.from({ length: 1000 }, (_, i) => ({
      user: `u:${i % 10}`,
      body: JSON.stringify({ n: n + i, text: random(n + i, 260) })
    }))
    await outbox.append(some)
  }
  await outbox.stop()
})

/** A copy of a stopped queue of 20,000 entries: a table of LevelDB and a log. */
function filled(t: Test): { path: string; store: string; named(pattern: RegExp): string } {
  const path = folder(t)
  const store = join(path, 'store')
  cpSync(join(template, 'store'), store, { recursive: true })
  const named = (pattern: RegExp) => join(store, readdirSync(store).filter(name => pattern.test(name))[0] as string)
  return { path, store, named }
}

function overwrite(file: string, at: number, bytes: Buffer): void {
  const opened = openSync(file, 'r+')
  writeSync(opened, bytes, 0, bytes.length, at)
  closeSync(opened)
}

/** Writes over the beginning of a text that a stopped queue holds, in a table: LevelDB writes its log out as one when it opens. */
async function spoil(path: string, text: string): Promise<void> {
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  await outbox.start()
  await outbox.stop()
  const store = join(path, 'store')
  const table = join(store, readdirSync(store).filter(name => name.endsWith('.ldb'))[0] as string)
  overwrite(table, readFileSync(table).indexOf(text.slice(0, 30)), Buffer.from('######'))
}

function contents(folder: string): Buffer[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter(file => file.isFile())
    .map(file => readFileSync(join(file.parentPath, file.name)))
}

interface Damage {
  how: string
  /** Returns a file that must not be lost, if it is still there. */
  inflict(store: string, named: (pattern: RegExp) => string): string | undefined
  /** Entries that can be read afterwards, at least and at most. */
  left: [number, number]
  says: RegExp
}

const garbage = Buffer.alloc(9000, 0x55)

const damages: Damage[] = [
  {
    how: 'CURRENT is missing',
    inflict(_, named) {
      rmSync(named(/CURRENT/))
      return named(/MANIFEST/)
    },
    left: [COUNT, COUNT],
    says: /does not exist.*repaired/
  },
  {
    how: 'CURRENT is something else',
    inflict(_, named) {
      writeFileSync(named(/CURRENT/), 'somebody was here')
      return named(/CURRENT/)
    },
    left: [COUNT, COUNT],
    says: /repaired/
  },
  {
    how: 'the manifest is missing',
    inflict: (_, named) => void rmSync(named(/MANIFEST/)),
    left: [COUNT, COUNT],
    says: /MANIFEST.*repaired/
  },
  {
    how: 'the manifest is garbage',
    inflict(_, named) {
      writeFileSync(named(/MANIFEST/), garbage)
      return named(/MANIFEST/)
    },
    left: [COUNT, COUNT],
    says: /repaired/
  },
  {
    how: 'a table is missing',
    inflict: (_, named) => void rmSync(named(/ldb$/)),
    left: [1, COUNT - 1],
    says: /missing files.*repaired/
  },
  {
    how: 'a table is cut short',
    inflict(_, named) {
      truncateSync(named(/ldb$/), 100_000)
      return named(/ldb$/)
    },
    left: [1, COUNT - 1],
    says: /repaired/
  },
  {
    how: 'a table is garbage in its keys',
    inflict(_, named) {
      const table = named(/ldb$/)
      overwrite(table, statSync(table).size - 20_000, Buffer.alloc(19_000, 0x55))
      return table
    },
    left: [1, COUNT - 1],
    says: /repaired/
  },
  {
    how: 'the log is garbage in the middle',
    inflict(_, named) {
      overwrite(named(/log$/), 100_000, garbage)
      return named(/log$/)
    },
    left: [1, COUNT - 1],
    says: /bytes of the queue's log could not be read/
  },
  {
    how: 'the store is a file',
    inflict(store) {
      rmSync(store, { recursive: true })
      writeFileSync(store, 'somebody was here')
      return store
    },
    left: [0, 0],
    says: /not a folder: the queue begins empty/
  },
  {
    how: 'the store cannot even be repaired',
    inflict(_, named) {
      rmSync(named(/CURRENT/))
      mkdirSync(join(named(/MANIFEST/), '..', 'CURRENT', 'in'), { recursive: true })
      return named(/ldb$/)
    },
    left: [0, 0],
    says: /could not be repaired .* begins empty/
  }
]

for (const { how, inflict, left, says } of damages) {
  t.test(how, async t => {
    const { path, store, named } = filled(t)
    const precious = inflict(store, named)
    const bytes = precious === undefined ? undefined : readFileSync(precious)
    const outbox = createDiskOutbox({ path, maxBytes: 1e9, now: () => Date.UTC(2026, 0, 2) })
    const { inherited, damage, setAside } = await outbox.start()
    t.match(damage, says)
    t.equal(setAside, join(path, 'damaged-2026-01-02T00-00-00-000Z'))
    t.ok(inherited >= left[0] && inherited <= left[1], `${inherited} entries are left`)
    if (bytes) {
      const kept = contents(path).some(other => other.equals(bytes))
      t.ok(kept, 'what was damaged is kept')
    }
    await outbox.append([entry('u:ann', 'new')])
    t.equal((await outbox.claim(ALL)).length, inherited + 1)
    await outbox.stop()

    const again = createDiskOutbox({ path, maxBytes: 1e9 })
    t.match(await again.start(), { inherited: inherited + 1, damage: undefined }, 'told once')
    await again.stop()
  })
}

t.test('a log that a crash cut off is no damage where nothing says that its end was acknowledged', async t => {
  const { path, store, named } = filled(t)
  const log = named(/log$/)
  truncateSync(log, statSync(log).size - 100)
  rmSync(join(store, 'acknowledged'))
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  const { inherited, damage } = await outbox.start()
  t.equal(damage, undefined)
  t.equal(inherited, COUNT - 1000, 'without the append that was cut off')
  t.same(
    readdirSync(path).filter(name => /damaged|before/.test(name)),
    []
  )
  await outbox.stop()
})

t.test('files of others in the folder are left alone', async t => {
  const { path, store } = filled(t)
  writeFileSync(join(path, 'notes.txt'), 'hello')
  writeFileSync(join(store, 'notes.txt'), 'hello')
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await outbox.start(), { inherited: COUNT, damage: undefined })
  t.equal(readFileSync(join(path, 'notes.txt'), 'utf8') + readFileSync(join(store, 'notes.txt'), 'utf8'), 'hellohello')
  await outbox.stop()
})

t.test('what an interrupted start had linked is tidied up, or kept if something was passed over then', async t => {
  const { path, store, named } = filled(t)
  mkdirSync(join(path, 'before-open-dead'))
  cpSync(named(/log$/), join(path, 'before-open-dead', '000001.log'))
  const first = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await first.start(), { damage: undefined })
  await first.stop()
  t.notOk(readdirSync(path).includes('before-open-dead'))

  mkdirSync(join(path, 'before-open-dead'))
  writeFileSync(join(path, 'before-open-dead', '000001.log'), 'cut')
  writeFileSync(join(store, 'LOG'), 'x (ignoring error) 000001.log: dropping 13 bytes; Corruption: checksum mismatch\n')
  const second = createDiskOutbox({ path, maxBytes: 1e9 })
  const { damage, setAside } = await second.start()
  t.match(damage, /13 bytes/)
  t.equal(readFileSync(join(setAside as string, 'before-open-dead', '000001.log'), 'utf8'), 'cut')
  await second.stop()
  t.ok(named(/CURRENT/))
})

t.test('entries whose bytes changed in a table become dead letters, with the bytes', async t => {
  const { path, named } = filled(t)
  overwrite(named(/ldb$/), 200_000, Buffer.from('#'.repeat(30)))
  const events: OutboxEvent[] = []
  const told: number[] = []
  const report = (event: OutboxEvent) => events.push(event)
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, report, onDamaged: entries => told.push(entries) })
  t.match(await outbox.start(), { inherited: COUNT, damage: undefined })
  const claimed = await outbox.claim(ALL)
  const { deadLetters, waiting } = outbox.stats()
  t.ok(deadLetters >= 1 && deadLetters <= 2, `${deadLetters} were hit`)
  t.equal(waiting, COUNT - deadLetters)
  t.equal(claimed.length, waiting)
  t.same(told, [deadLetters], 'for the books')
  t.match(events, [{ kind: 'damaged', message: /entries of the queue are damaged: \d became dead letters, 0 cannot/ }])
  const [letter] = await outbox.deadLetters.list({ bodies: true })
  t.match(letter, { reason: { code: 'DAMAGED' }, body: /######/ })
  t.match(Buffer.from(letter?.reason.answer as string, 'base64').toString(), /######/)
  await outbox.stop()

  const again = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await again.start(), { inherited: waiting })
  t.match(again.stats(), { waiting, deadLetters })
  await again.stop()
})

t.test('the books balance where an entry that expires is damaged', async t => {
  const path = folder(t)
  const first = createDiskOutbox({ path, maxBytes: 1e9 })
  await first.start()
  const texts = [1, 2, 3].map(seed => random(seed, 6000))
  await first.append(texts.map(text => ({ user: 'u:ann', body: JSON.stringify({ text }) })))
  await first.stop()
  await spoil(path, texts[1]!)

  const told: number[] = []
  const events: OutboxEvent[] = []
  const outbox = createDiskOutbox({
    path,
    maxBytes: 1e9,
    now: () => Date.now() + 1e9,
    report: event => events.push(event),
    onDamaged: entries => told.push(entries)
  })
  t.match(await outbox.start(), { inherited: 3, damage: undefined })
  t.equal(await outbox.expire(1000), 2)
  t.same(told, [1], 'inherited = expired + damaged')
  t.match(outbox.stats(), { waiting: 0, deadLetters: 3 })
  t.match(events, [{ kind: 'damaged' }])
  const letters = await outbox.deadLetters.list()
  t.same(letters.map(({ reason }) => reason.code).sort(), ['DAMAGED', 'EXPIRED', 'EXPIRED'])
  await outbox.stop()
})

t.test('entries found damaged when they are buried', async t => {
  const { path, named } = filled(t)
  const outbox = createDiskOutbox({
    path,
    maxBytes: 1e9,
    report: event => events.push(event),
    onDamaged: () => t.fail('who gives entries to bury counts them all')
  })
  const events: OutboxEvent[] = []
  await outbox.start()
  const claimed = await outbox.claim({ entries: 5000, bytes: 1e9 })
  overwrite(named(/ldb$/), 200_000, Buffer.from('#'.repeat(30)))
  await outbox.bury(claimed.map(({ id }) => ({ id, reason: { code: 'X', message: 'x' } })))
  t.equal(outbox.stats().deadLetters, 5000)
  t.match(outbox.stats(), { claimed: 0, waiting: COUNT - 5000 })
  const codes = (await outbox.deadLetters.list({ limit: 5000 })).map(({ reason }) => reason.code)
  const damaged = codes.filter(code => code === 'DAMAGED').length
  t.ok(damaged >= 1 && damaged <= 2, `${damaged} were hit`)
  t.equal(events.length, 1)
  await outbox.stop()
})

t.test('entries that cannot be read at all leave the queue of this run', async t => {
  const { path, store, named } = filled(t)
  const table = named(/ldb$/)
  const events: OutboxEvent[] = []
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, report: event => events.push(event) })
  await outbox.start()
  // Only the length of the file is looked at when a block is read: the table is a hole now.
  const bytes = readFileSync(table)
  overwrite(table, 0, Buffer.alloc(bytes.length - 100_000, 0x55))
  const claimed = await outbox.claim(ALL)
  t.ok(claimed.length < COUNT && claimed.length > 0, `${claimed.length} are left`)
  t.match(outbox.stats(), { waiting: claimed.length, deadLetters: 0 })
  t.match(events, [{ kind: 'damaged', message: /cannot be read at all/ }])
  await outbox.stop()
  overwrite(table, 0, bytes)
  t.ok(statSync(store).isDirectory())
  const again = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await again.start(), { inherited: COUNT }, 'their records were left alone')
  await again.stop()
})

t.test('stopped while damage is being read', async t => {
  const { path, named } = filled(t)
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, report: event => t.fail(event.message) })
  await outbox.start()
  overwrite(named(/ldb$/), 0, Buffer.alloc(100_000, 0x55))
  const claiming = outbox.claim(ALL)
  await outbox.stop()
  t.same(await claiming, [], 'whether it is damage cannot be known any more')
})

t.test('a damaged dead letter is listed and purged, not retried', async t => {
  const path = folder(t)
  const first = createDiskOutbox({ path, maxBytes: 1e9 })
  await first.start()
  const text = random(1, 6000)
  await first.append([{ user: 'u:ann', body: JSON.stringify({ text }) }])
  await first.bury((await first.claim(ALL)).map(({ id }) => ({ id, reason: { code: 'X', message: 'x' } })))
  await first.stop()
  await spoil(path, text)
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  await outbox.start()
  t.match(outbox.stats(), { deadLetters: 1 })
  const [letter] = await outbox.deadLetters.list({ bodies: true })
  t.match(letter, { reason: { code: 'DAMAGED' }, body: /######/ })
  t.notOk('body' in ((await outbox.deadLetters.list())[0] ?? {}))
  t.equal(await outbox.deadLetters.retry('all'), 0)
  t.equal(outbox.stats().deadLetters, 1)
  t.equal(await outbox.deadLetters.purge('all'), 1)
  t.match(outbox.stats(), { deadLetters: 0, bytes: 0 })
  await outbox.stop()
})

t.test('keys that are not of this store are passed over', async t => {
  const { path, store } = filled(t)
  const { ClassicLevel } = await import('classic-level')
  const db = new ClassicLevel(store)
  await db.batch([
    { type: 'put', key: 'waiting', value: 'x' },
    { type: 'put', key: 'dead', value: 'x' }
  ])
  await db.close()
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await outbox.start(), { inherited: COUNT })
  t.match(outbox.stats(), { deadLetters: 0 })
  t.same(await outbox.deadLetters.list(), [])
  await outbox.stop()
  renameSync(store, `${store}-away`)
})
