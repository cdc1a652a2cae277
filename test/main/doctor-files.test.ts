import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { entry, SECRET } from '../helper/proxy.js'
import { checks, run, standIn } from './doctor.js'

t.test('the queue: there, to be made, in use, too small, not to be written', async t => {
  const { env } = await standIn(t)
  const folder = mkdtempSync(join(tmpdir(), 'doctor-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const queue = async (path: string, more = {}) => {
    const { status, named } = await checks({
      ...env,
      DELIVERY: 'queued',
      QUEUE_PATH: path,
      QUEUE_MAX_BYTES: '1mb',
      ...more
    })
    return { exit: status, ...named.queue }
  }
  t.match(await queue(folder), { exit: 0, status: 'ok', message: /can be written; \d+ MB free/ })
  t.match(await queue(join(folder, 'not', 'yet')), { exit: 0, status: 'ok', message: /can be made/ })
  t.match(await queue(folder, { QUEUE_MAX_BYTES: '1024gb' }), {
    exit: 0,
    status: 'warning',
    message: /may grow by/,
    change: /QUEUE_MAX_BYTES/
  })
  const path = join(folder, 'used')
  const outbox = createDiskOutbox({ path, maxBytes: 1e6 })
  await outbox.start()
  t.teardown(() => outbox.stop())
  await outbox.append([{ user: 'u:ada', body: '{}' }])
  t.match(await queue(path), { exit: 0, status: 'ok' }, 'in use by a running one')
  t.equal(outbox.stats().waiting, 1)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  t.match(await queue(file), {
    exit: 1,
    status: 'failed',
    message: /is not a directory/,
    change: /QUEUE_PATH|directory/
  })
  t.match(await queue(join(file, 'below')), { exit: 1, status: 'failed', message: /is not a directory/ })
  for (const path of ['/proc', '/proc/queue']) {
    t.match(await queue(path), { exit: 1, status: 'failed', message: /cannot be (written|made)/ }, path)
  }
  t.match((await checks({ ...env, DELIVERY: 'queued', QUEUE_PATH: `/${'x'.repeat(300)}` })).named.queue, {
    status: 'failed',
    message: /the check itself failed: ENAMETOOLONG/
  })
  t.notOk((await checks(env)).named.queue, 'without a queue on disk there is nothing to say')
})

t.test('--entry: what would become of it', async t => {
  const { logtrail, env } = await standIn(t)
  const cwd = t.testdir({
    'one.json': JSON.stringify(
      entry({ is_public: true, metadata: { password: 'correct horse', note: 'x'.repeat(3000), form: { a: 1 } } })
    ),
    'many.json': JSON.stringify([entry(), { level: 'loud' }, entry({ level: 'debug' })]),
    'none.json': '[]',
    'broken.json': '{'
  })
  const explain = (file: string, flags = {}) =>
    run(
      { ...env, MIN_LEVEL: 'info', DROP_FIELDS: 'metadata.form' },
      {},
      { json: false, entry: join(cwd, file), ...flags }
    )
  const one = await explain('one.json')
  t.equal(one.status, 0)
  t.match(one.out, /^entry: sent, \d+ of 2048 bytes\n/)
  t.match(one.out, /^ {2}is_public: removed/m)
  t.match(one.out, /^ {2}metadata\.form: dropped/m)
  t.match(one.out, /^ {2}metadata\.password: masked/m)
  t.match(one.out, /^ {2}metadata\.note.*: trimmed/m)
  t.match(one.out, /^ {2}\{"action":"test\.happened".*"actor":\{"id":"example-user"\}.*"_trimmed":\d+/m)
  t.notOk(one.out.includes('correct horse'))

  const many = await explain('many.json')
  t.equal(many.status, 1)
  t.match(many.out, /^entry 0: sent/m)
  t.match(many.out, /^entry 1: refused\n {2}\w+: /m)
  t.match(many.out, /^entry 2: taken and left out/m)
  t.match(many.out, /^The request would be refused: VALIDATION_FAILED/m)

  const json = await explain('many.json', { json: true })
  t.equal(json.status, 1)
  t.match(JSON.parse(json.out), { ok: false, limit: 2048, outcomes: [{ outcome: 'sent' }, { outcome: 'refused' }, {}] })
  t.match(await explain('none.json'), { status: 1, out: /holds no entry/ })
  t.match(await explain('broken.json'), { status: 1, out: /VALIDATION_INVALID_JSON/ })
  t.match(await explain('missing.json'), { status: 1, out: '', err: /missing\.json cannot be read: ENOENT/ })
  t.equal(logtrail.requests.length, 0, 'nothing is asked of Logtrail')
  t.notOk(one.out.includes(SECRET))
})
