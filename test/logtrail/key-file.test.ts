import { execFileSync } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type KeyFileOptions, watchKeyFile } from '../../src/logtrail/key-file.js'

const [A, B, C] = ['a', 'b', 'c'].map(letter => `lt_staging_wo_${letter}1234567890xyz`) as [string, string, string]

/** A watched file; what it tells comes by `next`, one at a time and in order. Without a poll unless told otherwise. */
function watched(t: Test, path: string, options: Partial<KeyFileOptions> = {}) {
  const events = new EventEmitter()
  const told: unknown[] = []
  const tell = (what: unknown) => {
    told.push(what)
    events.emit('told')
  }
  const watcher = watchKeyFile(path, {
    onKeys: (keys, warnings) => tell(warnings.length > 0 ? { keys, warnings } : keys),
    onFault: message => tell(message.replace(path, 'FILE')),
    pollMs: 1_000_000,
    settleMs: 5,
    ...options
  })
  t.teardown(() => watcher.close())
  return {
    watcher,
    told,
    async next() {
      // The loop is kept alive by this alone: the watcher itself must not keep a process.
      const alive = setInterval(() => {}, 1000)
      if (told.length === 0) await once(events, 'told')
      clearInterval(alive)
      return told.shift()
    }
  }
}

t.test('the file is read at first, and told of only where it differs from what is in use', async t => {
  const dir = t.testdir({ key: `${A}\n` })
  t.strictSame(await watched(t, join(dir, 'key')).next(), [A])
  const known = watched(t, join(dir, 'key'), { current: [A] })
  writeFileSync(join(dir, 'key'), `${A},${B}\n`)
  t.strictSame(await known.next(), [A, B])
  t.strictSame(known.told, [])
})

t.test('written in place', async t => {
  const file = join(t.testdir({ key: A }), 'key')
  const { told, next } = watched(t, file, { current: [A] })
  const written = async (text: string) => {
    writeFileSync(file, text)
    let last = await next()
    // Between its emptying and its filling the file may be found empty: told, and harmless.
    while (typeof last === 'string') last = await next()
    return last
  }
  t.strictSame(await written(B), [B])
  t.strictSame(await written(`${B}\n${C}`), [B, C])
  t.strictSame(told, [])
})

t.test('replaced by a rename', async t => {
  const dir = t.testdir({ key: A })
  const { next } = watched(t, join(dir, 'key'), { current: [A] })
  for (const key of [B, C, A]) {
    writeFileSync(join(dir, '.key.tmp'), key)
    renameSync(join(dir, '.key.tmp'), join(dir, 'key'))
    t.strictSame(await next(), [key])
  }
})

t.test("Kubernetes' way: the directory behind a symlink behind a symlink is swapped", async t => {
  const dir = t.testdir({
    '..2024_01': { key: A },
    '..data': t.fixture('symlink', '..2024_01'),
    key: t.fixture('symlink', '..data/key')
  })
  const { next } = watched(t, join(dir, 'key'), { current: [A] })
  for (const [at, key] of [B, C, A].entries()) {
    mkdirSync(join(dir, `..2024_1${at}`))
    writeFileSync(join(dir, `..2024_1${at}`, 'key'), key)
    symlinkSync(`..2024_1${at}`, join(dir, '..data_tmp'))
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'))
    t.strictSame(await next(), [key])
  }
})

t.test('what cannot be used is told once, without a word of it, and what comes after it counts', async t => {
  const file = join(t.testdir({ key: A }), 'key')
  const { next, told } = watched(t, file, { current: [A], policy: { allowReadWrite: false, environment: 'staging' } })
  const wrong: [string, RegExp][] = [
    [' \n', /^The key file FILE is empty$/],
    ['hush-hush', /holds what is no Logtrail key/],
    [A.slice(0, 16), /wrong length/],
    ['!hush', /is no Logtrail key/],
    ['<your key>', /placeholder/],
    [`${A}\n`.repeat(500), /too long/],
    [`${A},${B},${C}`, /cannot be used: at most two/],
    [A.replace('staging', 'production'), /cannot be used: the key is for production/],
    [A.replace('_wo_', '_ro_'), /read-only/]
  ]
  for (const [text, message] of wrong) {
    // By a rename: written in place the file would be empty for a moment, which may be told, too.
    writeFileSync(`${file}.tmp`, text)
    renameSync(`${file}.tmp`, file)
    const said = await next()
    t.match(said, message)
    t.notMatch(said, /hush|1234567890xyz/)
  }
  rmSync(file)
  t.match(await next(), /cannot be read \(ENOENT\)/)
  execFileSync('mkfifo', [file])
  t.match(await next(), /is no file/)
  rmSync(file)
  t.match(await next(), /ENOENT/)
  writeFileSync(file, A.replace('_wo_', '_rw_'))
  t.match(await next(), { keys: [A.replace('_wo_', '_rw_')], warnings: [/may also read/] })
  t.strictSame(told, [])
})

t.test('what is known already brings nothing; a fault that comes again is told again', async t => {
  const file = join(t.testdir({ key: A }), 'key')
  const { next, told } = watched(t, file, { current: [A], settleMs: 1, pollMs: 1 })
  // When this one has told of the file, the quicker one has long read it.
  t.strictSame(await watched(t, file, { settleMs: 100 }).next(), [A])
  t.strictSame(told, [])
  const write = (text: string) => {
    writeFileSync(`${file}.tmp`, text)
    renameSync(`${file}.tmp`, file)
    return next()
  }
  t.match(await write(''), /is empty/)
  t.strictSame(await write(B), [B])
  t.match(await write(''), /is empty/)
})

t.test('the poll finds what brings no notice: a path that leads elsewhere, a directory that comes late', async t => {
  const dir = t.testdir({ far: { key: A }, key: t.fixture('symlink', 'far/key') })
  const far = watched(t, join(dir, 'key'), { current: [A], pollMs: 10 })
  writeFileSync(join(dir, 'far', 'key'), B)
  t.strictSame(await far.next(), [B])

  const late = watched(t, join(dir, 'late', 'key'), { pollMs: 10 })
  t.match(await late.next(), /ENOENT/)
  mkdirSync(join(dir, 'late'))
  writeFileSync(join(dir, 'late', 'key'), C)
  t.strictSame(await late.next(), [C])
})

t.test('a burst of changes ends with the last', async t => {
  const file = join(t.testdir({ key: A }), 'key')
  const { next } = watched(t, file, { current: [A], settleMs: 1, pollMs: 1 })
  for (let n = 0; n < 200; n++) writeFileSync(file, n % 2 ? A : B)
  writeFileSync(file, C)
  let last = await next()
  while (String(last) !== C) last = await next()
  t.pass()
})

t.test('closed it is silent, also in the midst of a reading', async t => {
  const file = join(t.testdir({ key: A }), 'key')
  const { watcher, told } = watched(t, file)
  await watcher.close()
  await watcher.close()
  writeFileSync(file, B)
  await new Promise(setImmediate)
  t.strictSame(told, [])
})
