import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/commands/command-line.js'
import { serveDeadLetters } from '../../src/outbox/control.js'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { Claimed, DeadLetters, DeadReason, ListOptions } from '../../src/outbox/outbox.js'
import { runMain } from './child.js'

/** The command against the queue at `path`, with what it said. */
async function run(path: string, ...args: string[]) {
  const said = { out: '', err: '' }
  const status = await runCommand(['dead-letters', ...args], {
    env: { QUEUE_PATH: path },
    cwd: '/nowhere',
    out: text => {
      said.out += text
    },
    err: text => {
      said.err += text
    }
  })
  return { status, ...said }
}

const REASON: DeadReason = { code: 'VALIDATION_FAILED', status: 400, message: 'level is missing', answer: '{"a":1}' }

/** A store with a dead letter for each reason, and the outbox that has it open. */
async function withDead(t: Test, reasons: DeadReason[]) {
  const path = join(t.testdir({}), 'queue')
  const outbox = createDiskOutbox({ path, maxBytes: 1e6, now: () => Date.UTC(2026, 0, 2, 3, 4, 5) })
  await outbox.start()
  await outbox.append(reasons.map((_, i) => ({ user: 'u:ada', body: `{"action":"entry.${i + 1}"}` })))
  // A user's entries come a few at a time.
  for (let buried = 0; buried < reasons.length; ) {
    const claimed: Claimed[] = await outbox.claim({ entries: 100, bytes: 1e6 })
    await outbox.bury(claimed.map(({ id }, i) => ({ id, reason: reasons[buried + i]! })))
    buried += claimed.length
  }
  t.teardown(() => outbox.stop())
  return { path, outbox }
}

const ids = (out: string) => [...out.matchAll(/^(\d+) {2}/gm)].map(([, id]) => id as string)

t.test('beside a running proxy, and when it has ended', async t => {
  const { path, outbox } = await withDead(t, [REASON, REASON, { code: 'EXPIRED', message: 'too old' }])
  const listed = await run(path, 'list')
  t.match(listed, { status: 0, err: '' })
  t.match(
    listed.out,
    /^\d+ {2}2026-01-02T03:04:05.000Z {2}VALIDATION_FAILED \(400\): level is missing\n {4}received 2026-01-02T03:04:05.000Z\n/
  )
  t.match(listed.out, /EXPIRED: too old\n/)
  t.notMatch(listed.out, /ada|entry\.1/, "users' data is shown where it is asked for")
  const [first, second] = ids(listed.out)

  const whole = await run(path, 'list', '--bodies')
  t.match(whole.out, / {4}received \S+ from u:ada\n {4}{"action":"entry.1"}\n {4}answered: {"a":1}\n/)

  t.match(await run(path, 'list', '--limit', '1'), {
    out: new RegExp(`^${first} `),
    err: `There are more: --after ${first}\n`
  })
  t.strictSame(ids((await run(path, 'list', '--limit', '1', '--after', first!)).out), [second])
  const json = async (...more: string[]) => (await run(path, 'list', '--json', ...more)).out.trim().split('\n')
  const { answer, ...withoutAnswer } = REASON
  t.equal((await json()).length, 3)
  t.strictSame(JSON.parse((await json())[0]!).reason, withoutAnswer, 'an answer may repeat the entry')
  t.strictSame(JSON.parse((await json('--bodies'))[0]!).reason, REASON)

  t.strictSame(await run(path, 'retry', first!), { status: 0, out: '1 entry will be sent again.\n', err: '' })
  t.equal(outbox.stats().waiting, 1, 'in the process that runs')
  t.match(await run(path, 'retry', first!), {
    status: 1,
    out: '0 entries will be sent again.\n',
    err: '1 of the ids is not among the dead letters.\n'
  })
  t.match(await run(path, 'purge', first!, 'x'), { status: 1, err: '2 of the ids are not among the dead letters.\n' })
  await outbox.stop()

  t.strictSame(await run(path, 'purge', second!), { status: 0, out: '1 entry deleted.\n', err: '' })
  t.match(await run(path, 'purge', '--all'), { status: 0, out: '1 entry deleted.\n' })
  t.match(await run(path, 'retry', '--all'), { status: 0, out: '0 entries will be sent again.\n' })
  t.strictSame(await run(path, 'list'), { status: 0, out: 'There are no dead letters.\n', err: '' })
  t.strictSame(await run(path, 'list', '--json'), { status: 0, out: '', err: '' })
})

t.test('a long list is asked for in parts, for the proxy reads and writes each in one go', async t => {
  const path = t.testdir({})
  const asked: ListOptions[] = []
  const letter = (id: number) => ({ id, receivedAt: 0, buriedAt: 0, bytes: 1, reason: REASON })
  const none = async () => 0
  const control = await serveDeadLetters(path, {
    async list(options: ListOptions) {
      asked.push(options)
      const first = Number(options.after ?? 0) + 1
      // One that cannot be read is left out of its part.
      return Array.from({ length: options.limit as number }, (_, i) => first + i)
        .filter(id => id <= 1203 && id !== 77)
        .map(letter)
    },
    retry: none,
    purge: none
  } as DeadLetters)
  t.teardown(() => control.close())
  const numbers = (from: number, to: number) =>
    Array.from({ length: to - from + 1 }, (_, i) => from + i).filter(id => id !== 77)

  const all = await run(path, 'list', '--limit', '10000')
  t.match(all, { status: 0, err: '' })
  t.strictSame(ids(all.out).map(Number), numbers(1, 1203))
  t.ok(asked.every(({ limit, bodies }) => limit === 500 && bodies === false))

  asked.length = 0
  const some = await run(path, 'list', '--limit', '1000', '--after', '100', '--bodies')
  t.match(some, { status: 0, err: 'There are more: --after 1100\n' })
  t.strictSame(ids(some.out).map(Number), numbers(101, 1100))
  t.ok(
    asked.every(({ limit, bodies }) => (limit as number) <= 50 && bodies),
    'fewer of them with their bodies'
  )
  t.equal(asked.at(-1)?.limit, 1)

  const exact = await run(path, 'list', '--limit', '103', '--after', '1100')
  t.match(exact, { status: 0, err: '' })
  t.strictSame(ids(exact.out).map(Number), numbers(1101, 1203))
})

t.test('what entries and answers hold does not steer the terminal', async t => {
  const evil = 'red \u001b[31m \u009b2J \u202e\n17  forged line'
  const { path } = await withDead(t, [{ code: 'EVIL', message: evil, answer: evil }])
  for (const args of [
    ['list', '--bodies'],
    ['list', '--json', '--bodies']
  ]) {
    const { out } = await run(path, ...args)
    t.match(out, /EVIL/)
    t.notMatch(out.replaceAll('\n', ''), /[\p{Cc}\p{Bidi_Control}]/u)
    t.notMatch(out, /^17 {2}forged/m)
  }
})

t.test('a damaged queue is told', async t => {
  const path = t.testdir({ store: 'no store of LevelDB' })
  const { status, out, err } = await run(path, 'list')
  t.match({ status, out }, { status: 0, out: 'There are no dead letters.\n' })
  t.match(JSON.parse(err), { kind: 'damaged', message: /was not a folder/, setAside: /damaged-/ })
})

t.test('a proxy that goes away in between', async t => {
  // Not t.testdir: the address of a socket is short.
  const path = mkdtempSync(join(tmpdir(), 'q-'))
  const server = createServer(connection => connection.on('data', () => connection.destroy()))
  await new Promise<void>(resolve => server.listen(join(path, 'control.sock'), resolve))
  t.teardown(() => {
    server.close()
    rmSync(path, { recursive: true })
  })
  t.match(await run(path, 'list'), { status: 1, out: '', err: 'the process that holds the queue went away\n' })
})

t.test('no queue yet, as where nothing was ever sent: that is said, with where it was looked for', async t => {
  const path = join(t.testdir({}), 'nowhere')
  const err = `There is no queue at ${path} (QUEUE_PATH).\n`
  t.strictSame(await run(path, 'list'), { status: 0, out: 'There are no dead letters.\n', err })
  t.strictSame(await run(path, 'list', '--json'), { status: 0, out: '', err })
  t.strictSame(await run(path, 'purge', '--all'), { status: 0, out: '0 entries deleted.\n', err })
  t.strictSame(await run(path, 'retry', '7'), {
    status: 1,
    out: '0 entries will be sent again.\n',
    err: `${err}1 of the ids is not among the dead letters.\n`
  })
  t.notOk(existsSync(path), 'and none is made')
  const process = await runMain(['dead-letters', 'list'], { QUEUE_PATH: path }, t.testdir({}))
  t.match(process, { status: 0, out: 'There are no dead letters.\n', err }, 'where writing says whether it is done')
})

t.test('a path that leads to no folder', async t => {
  const file = join(t.testdir({ file: '' }), 'file')
  t.strictSame(await run(file, 'list'), { status: 1, out: '', err: `there is no queue at ${file}\n` })
  t.strictSame(await run(join(file, 'queue'), 'list'), {
    status: 1,
    out: '',
    err: `there is no queue at ${join(file, 'queue')}\n`
  })
})

t.test('a queue in a Redis that is not named is a wrong configuration', async t => {
  const said: string[] = []
  const io = { env: { QUEUE_STORE: 'redis' }, cwd: '/nowhere', out: () => {}, err: (text: string) => said.push(text) }
  t.equal(await runCommand(['dead-letters', 'list'], io), 78)
  t.match(said.join(''), /^The configuration is wrong, one fault:\n {2}REDIS_URL is required with QUEUE_STORE=redis: /)
})

t.test('what there is not', async t => {
  const path = join(t.testdir({}), 'nowhere')
  const misuses = [
    [],
    ['lst'],
    ['retry'],
    ['purge'],
    ['purge', '--all', '1'],
    ['list', '1'],
    ['list', '--all'],
    ['list', '--x']
  ]
  for (const args of [...misuses, ['list', '--limit', '0'], ['list', '--limit', 'x'], ['list', '--limit', '10001']]) {
    t.match(await run(path, ...args), { status: 64, out: '', err: /dead-letters|--limit|--x/ }, args.join(' '))
  }
})
