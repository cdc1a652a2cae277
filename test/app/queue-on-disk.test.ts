import { createHash } from 'node:crypto'
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { runCommand } from '../../src/commands/command-line.js'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { books } from '../admin/scrape.js'
import { entry, startProxy } from '../helper/proxy.js'
import { until } from '../oracle/program.js'

/** What happens to the queue while the program runs is logged, and counted in the books. */
const QUEUED = { DELIVERY: 'queued', BATCH_MAX_WAIT: '10ms' }

function folder(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'queue-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  return path
}

t.test('a place where no queue can have been is set aside, and the start says so', async t => {
  const path = folder(t)
  writeFileSync(join(path, 'store'), 'not a folder')
  const proxy = await startProxy(t, { env: { ...QUEUED, QUEUE_PATH: path } })
  t.match(
    proxy.lines.filter(line => line.includes('"level":"error"')),
    [/"set_aside":".*damaged-.*was not a folder/]
  )
  t.equal((await proxy.post(entry())).status, 202)
})

t.test('entries that prove damaged as they are to be sent become dead letters', async t => {
  const path = folder(t)
  const open = async () => {
    const outbox = createDiskOutbox({ path, maxBytes: 1e9 })
    await outbox.start()
    return outbox
  }
  const outbox = await open()
  // text that does not compress, so that LevelDB stores it as it is
  const text = (n: number) => createHash('shake256', { outputLength: 200 }).update(`${n}`).digest('base64')
  const entries = Array.from({ length: 1000 }, (_, n) => ({
    user: 'u:ada',
    body: JSON.stringify(entry({ message: text(n) }))
  }))
  await outbox.append(entries)
  await outbox.stop()
  // opened again, its log becomes a table
  await (await open()).stop()
  const store = join(path, 'store')
  const file = join(store, readdirSync(store).find(name => name.endsWith('.ldb'))!)
  // In a body: where keys are hit, the start says so.
  const at = readFileSync(file).indexOf(text(500).slice(100, 130))
  const table = openSync(file, 'r+')
  writeSync(table, '#'.repeat(30), at)
  closeSync(table)

  const proxy = await startProxy(t, { env: { ...QUEUED, QUEUE_PATH: path } })
  await until(async () => (await books(proxy)).waiting === 0)
  const { came, went, inherited, deadLetters } = await books(proxy)
  t.equal(inherited, 1000)
  t.ok(deadLetters >= 1 && deadLetters <= 30, `${deadLetters} were hit`)
  t.equal(came, went, 'the books balance')
  t.match(
    proxy.lines.filter(line => line.includes('"kind":"damaged"')),
    [/"level":"error".*entries of the queue are damaged/]
  )
})

t.test('dead letters that are retried are inherited', async t => {
  const path = folder(t)
  const logtrail = {
    refuse: ({ action }: { action?: unknown }) =>
      action === 'bad' ? { field: 'action', message: 'is bad' } : undefined
  }
  const proxy = await startProxy(t, { logtrail, env: { ...QUEUED, QUEUE_PATH: path } })
  t.equal((await proxy.post(entry({ action: 'bad' }))).status, 202)
  await until(async () => (await books(proxy)).deadLetters === 1)
  proxy.logtrail.switches.refuse = undefined
  const said: string[] = []
  const say = (text: string) => void said.push(text)
  const io = { env: { QUEUE_PATH: path }, cwd: '/nowhere', out: say, err: say }
  t.equal(await runCommand(['dead-letters', 'retry', '--all'], io), 0)
  t.same(said, ['1 entry will be sent again.\n'])
  await until(async () => (await books(proxy)).delivered === 1)
  t.match(await books(proxy), { received: 1, inherited: 1, delivered: 1, deadLetters: 1, waiting: 0 })
})
