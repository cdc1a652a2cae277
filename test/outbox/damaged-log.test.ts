/**
 * Damage to the log that LevelDB itself takes for what a crash leaves, or passes over without a word: none of it goes
 * without a report, and what stood in the log is kept.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import t, { type Test } from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { Mark } from '../../src/outbox/mark.js'
import { openLevel } from '../../src/outbox/opening.js'
import { entry } from './behaviour.js'
import { folder } from './folder.js'

const ALL = { entries: 1000, bytes: 1e9 }
const COUNT = 6
/** Each entry is an append of its own and over half a block of LevelDB's log. */
const SIZE = 20_000
const BLOCK = 32 * 1024

function random(seed: string, length: number): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest()
}

const template = folder(t)

t.before(async () => {
  const path = folder(t)
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, control: false })
  await outbox.start()
  for (let n = 0; n < COUNT; n++) await outbox.append([entry('u:ann', `${n} ${'x'.repeat(SIZE)}`)])
  // As a SIGKILL would leave it: nothing is done in closing.
  cpSync(join(path, 'store'), join(template, 'store'), { recursive: true })
  await outbox.stop()
})

function killed(t: Test): { path: string; store: string; log: string } {
  const path = folder(t)
  const store = join(path, 'store')
  cpSync(join(template, 'store'), store, { recursive: true })
  return { path, store, log: join(store, readdirSync(store).find(name => name.endsWith('.log')) as string) }
}

function change(log: string, how: (bytes: Buffer) => void): void {
  const bytes = readFileSync(log)
  how(bytes)
  writeFileSync(log, bytes)
}

/** What a record in a log begins with. */
function header(length: number, type: number): Buffer {
  const bytes = Buffer.alloc(7, 0x55)
  bytes.writeUInt16LE(length, 4)
  bytes[6] = type
  return bytes
}

interface Damage {
  how: string
  inflict(log: string): void
  left: number
  says: RegExp
}

const missing = (writes: number) => new RegExp(`the last ${writes} writes that it acknowledged are missing`)
const bytes = /about \d+ bytes of the queue's log could not be read/

const damages: Damage[] = [
  { how: 'text, shorter', inflict: log => writeFileSync(log, 'garbage'.repeat(50)), left: 0, says: missing(COUNT) },
  { how: 'one line of text', inflict: log => writeFileSync(log, 'somebody was here\n'), left: 0, says: bytes },
  { how: 'text all over', inflict: log => change(log, all => all.fill('garbage ')), left: 0, says: missing(COUNT) },
  { how: 'random bytes', inflict: log => writeFileSync(log, random('all', 120_000)), left: 0, says: missing(COUNT) },
  { how: 'zeros all over', inflict: log => change(log, all => all.fill(0)), left: 0, says: missing(COUNT) },
  {
    how: 'cut in the middle, between records',
    inflict: log => truncateSync(log, statSync(log).size >> 1),
    left: 3,
    says: missing(3)
  },
  { how: 'cut in a record', inflict: log => truncateSync(log, 50_000), left: 2, says: missing(4) },
  { how: 'cut by 5 bytes', inflict: log => truncateSync(log, statSync(log).size - 5), left: 5, says: missing(1) },
  { how: 'cut to nothing', inflict: log => truncateSync(log, 0), left: 0, says: missing(COUNT) },
  {
    how: 'text in its second half',
    inflict: log => change(log, all => all.fill('X', all.length >> 1)),
    left: 3,
    says: missing(3)
  },
  {
    how: 'the length of a record in the last block',
    inflict: log =>
      change(log, all => {
        const last = Math.floor(all.length / BLOCK) * BLOCK
        all.writeUInt16LE(60_000, last + 4)
      }),
    left: 4,
    says: missing(2)
  },
  {
    how: 'a header of zeros with records behind it',
    inflict: log => change(log, all => all.fill(0, BLOCK, BLOCK + 7)),
    left: 3,
    says: bytes
  },
  {
    how: 'a block of zeros with records behind it',
    inflict: log => change(log, all => all.fill(0, BLOCK, 2 * BLOCK)),
    left: 3,
    says: bytes
  },
  {
    how: 'bytes that are no record at its end',
    inflict: log => appendFileSync(log, Buffer.concat([header(60_000, 0x55), random('end', 193)])),
    left: COUNT,
    says: bytes
  },
  {
    how: 'the end of a record that never began',
    inflict: log => appendFileSync(log, header(60_000, 4)),
    left: COUNT,
    says: bytes
  }
]

for (const { how, inflict, left, says } of damages) {
  t.test(how, async t => {
    const { path, log } = killed(t)
    inflict(log)
    const damaged = readFileSync(log)
    const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
    const { inherited, damage, setAside } = await outbox.start()
    t.match(damage, says)
    t.equal(inherited, left)
    t.match(setAside, join(path, 'damaged-'))
    t.ok(readFileSync(join(setAside as string, log.slice(-10))).equals(damaged), 'the log is kept')
    await outbox.append([entry('u:ann', 'new')])
    t.equal((await outbox.claim(ALL)).length, left + 1)
    await outbox.stop()

    const again = createDiskOutbox({ path, maxBytes: 1e9 })
    t.match(await again.start(), { inherited: left + 1, damage: undefined }, 'told once')
    await again.stop()
  })
}

t.test('deleted', async t => {
  const { path, log } = killed(t)
  rmSync(log)
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  const started = await outbox.start()
  t.match(started, { inherited: 0, damage: missing(COUNT), setAside: undefined })
  t.same(
    readdirSync(path).filter(name => /damaged|before/.test(name)),
    [],
    'nothing was left to set aside'
  )
  await outbox.stop()
  const again = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await again.start(), { inherited: 0, damage: undefined }, 'told once, though nothing was written since')
  await again.stop()
})

t.test('what a crash leaves is no damage', async t => {
  const tails = {
    nothing: Buffer.alloc(0),
    'half a header': header(100, 1).subarray(0, 4),
    'half a record': Buffer.concat([header(60_000, 1), random('half', 5000)]),
    'half a record of several': Buffer.concat([header(60_000, 2), random('half', 5000)]),
    zeros: Buffer.alloc(3 * BLOCK)
  }
  for (const [name, tail] of Object.entries(tails)) {
    const { path, log } = killed(t)
    appendFileSync(log, tail)
    const outbox = createDiskOutbox({ path, maxBytes: 1e9, control: false })
    t.match(await outbox.start(), { inherited: COUNT, damage: undefined }, name)
    await outbox.stop()
    t.same(readdirSync(path), ['store'], 'nothing is kept')
  }
})

t.test('a later part of a record that a crash cut off is none either', async t => {
  const { path, store, log } = killed(t)
  // The first part of the second entry fills its block; the mark of the second is taken back, as if it was not done.
  truncateSync(log, BLOCK + 2000)
  writeFileSync(join(store, 'acknowledged'), '0000000000000001')
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await outbox.start(), { inherited: 1, damage: undefined })
  await outbox.stop()
})

t.test('a start that was interrupted after LevelDB had replaced the log', async t => {
  const { path, store, log } = killed(t)
  const links = join(path, 'before-open-dead')
  mkdirSync(links)
  truncateSync(log, statSync(log).size - 5)
  cpSync(log, join(links, '000007.log'))
  // What has not been told stays in the file.
  const untold = readFileSync(join(store, 'acknowledged'))
  const first = createDiskOutbox({ path: killed(t).path, maxBytes: 1e9 })
  await first.start()
  await first.stop()
  writeFileSync(join(store, 'acknowledged'), untold)
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  const { damage, setAside } = await outbox.start()
  t.match(damage, missing(1))
  t.ok(existsSync(join(setAside as string, 'before-open-dead', '000007.log')))
  await outbox.stop()
})

t.test('a number that cannot be kept or read shows nothing, and stops nothing', async t => {
  const spoil: Record<string, (file: string) => void> = {
    'a folder': file => {
      rmSync(file)
      mkdirSync(file)
    },
    'a pipe': file => {
      rmSync(file)
      execFileSync('mkfifo', [file])
    },
    empty: file => truncateSync(file, 0),
    'something else': file => writeFileSync(file, 'somebody was here, and wrote a lot')
  }
  for (const [name, how] of Object.entries(spoil)) {
    const { path, store, log } = killed(t)
    how(join(store, 'acknowledged'))
    truncateSync(log, statSync(log).size - 5)
    const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
    t.match(await outbox.start(), { inherited: COUNT - 1, damage: undefined }, name)
    await outbox.append([entry('u:ann', 'new')])
    await outbox.stop()
    const again = createDiskOutbox({ path, maxBytes: 1e9 })
    t.match(await again.start(), { inherited: COUNT, damage: undefined })
    await again.stop()
  }
})

t.test('nor does one that was changed in the store', async t => {
  const { path, store } = killed(t)
  const db = new ClassicLevel(store)
  await db.put('m', 'somebody was here')
  await db.close()
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await outbox.start(), { inherited: COUNT, damage: undefined })
  await outbox.stop()
})

t.test('nor one that cannot be read there', async t => {
  const { store } = killed(t)
  const db = new ClassicLevel<Buffer, string>(store)
  // Closed, it can read nothing.
  await db.open()
  await db.close()
  const mark = await Mark.read(store, db)
  t.equal(mark.missing, 0)
  await mark.close()
  t.doesNotThrow(() => mark.reached(), 'and nothing is thrown where it cannot be written')
})

t.test('a start that fails when the store is open lets go of it', async t => {
  const { path } = killed(t)
  const spoil = async () => {
    const links = join(path, readdirSync(path).find(name => name.startsWith('before-open-')) as string)
    rmSync(links, { recursive: true })
    writeFileSync(links, 'not a folder')
  }
  await t.rejects(openLevel(path, spoil, 0), { code: 'ENOTDIR' })
  const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
  t.match(await outbox.start(), { inherited: COUNT, damage: undefined })
  await outbox.stop()
})
