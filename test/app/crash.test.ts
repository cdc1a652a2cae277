/** Places where a queue cannot be, and bad times for the whole program in queued mode: what comes of them is said here. */
import { execFileSync } from 'node:child_process'
import { rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type LogtrailOptions, startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry } from '../helper/proxy.js'
import { startChild } from '../main/child.js'
import { type Running, startProgram, until } from '../oracle/program.js'
import { folder } from '../outbox/folder.js'
import { mountTmpfs } from '../outbox/full-disk.js'

t.setTimeout(240_000)

async function start(t: Test, { env = {}, cwd = t.testdir({}), options = {} as LogtrailOptions } = {}) {
  const logtrail = await startLogtrail(options)
  t.teardown(() => logtrail.close())
  const begin = async () => {
    const upstream = { DELIVERY: 'queued', LOGTRAIL_URL: logtrail.url, LOGTRAIL_API_KEY: logtrail.key }
    const program = await startProgram({ ...upstream, LOGTRAIL_TIMEOUT: '400ms', BATCH_MAX_WAIT: '10ms', ...env }, cwd)
    t.teardown(() => void program.child.process.kill('SIGKILL'))
    return program
  }
  return { logtrail, cwd, begin, program: await begin() }
}

/** The start is refused with 78 and a message that names the place. */
async function refusesToStart(t: Test, QUEUE_PATH: string, why: RegExp): Promise<void> {
  const env = {
    PORT: '0',
    ADMIN_PORT: '0',
    DELIVERY: 'queued',
    LOGTRAIL_API_KEY: 'lt_development_wo_T3stOnlyNeverIssued41',
    LOGTRAIL_URL: 'http://127.0.0.1:9/',
    LOGTRAIL_PLAN: 'free',
    SESSION_MODE: 'none',
    QUEUE_PATH
  }
  const child = startChild('src/main.ts', [], env, folder(t))
  t.teardown(() => void child.process.kill('SIGKILL'))
  t.match(await child.ended, { status: 78 })
  t.ok(child.err().startsWith(`QUEUE_PATH ${QUEUE_PATH} `), child.err())
  t.match(child.err(), why)
}

const isDegraded = async (program: Running, check: string) => {
  const { status, text } = await program.get('/readyz')
  return status === 200 && JSON.parse(text).status === 'degraded' && JSON.parse(text).checks[check].ok === false
}

t.test('a place that cannot be a queue stops the start with 78', async t => {
  const place = folder(t)
  writeFileSync(join(place, 'file'), 'precious')
  await refusesToStart(t, join(place, 'file', 'queue'), /cannot be used: ENOTDIR/)
  if (process.platform === 'linux') await refusesToStart(t, '/proc/queue', /cannot be used: /)
})

t.test('so does a read-only file system', async t => {
  const path = folder(t)
  if (!mountTmpfs(t, path, 'size=16m')) return void t.plan(0, 'may not mount a file system')
  execFileSync('mount', ['-o', 'remount,ro', path])
  await refusesToStart(t, path, /cannot be used: EROFS/)
})

t.test('and a queue that another serve has, which goes on', async t => {
  const { program, cwd, logtrail } = await start(t)
  await refusesToStart(t, `${cwd}/queue`, /in use by another process/)
  t.equal((await program.post('ada', entry()))?.status, 202)
  await logtrail.waitFor(({ entries }) => entries().length === 1)
})

t.test('the disk is full while it runs: 503 and not ready, until there is room', async t => {
  const path = folder(t)
  if (!mountTmpfs(t, path, 'size=16m')) return void t.plan(0, 'may not mount a file system')
  const { program, logtrail } = await start(t, { env: { QUEUE_PATH: path } })
  await logtrail.down()
  t.equal((await program.post('ada', entry({ metadata: { id: 'before' } })))?.status, 202)
  const fill = join(path, 'filling')
  t.throws(() => writeFileSync(fill, Buffer.alloc(32 * 1024 * 1024)), { code: 'ENOSPC' })

  const long = 'x'.repeat(3000)
  const acknowledged = ['before']
  let refused: Awaited<ReturnType<Running['post']>>
  for (let n = 0; refused === undefined; n++) {
    const ids = Array.from({ length: 100 }, (_, i) => `${n}-${i}`)
    const answer = await program.post(
      'ada',
      ids.map(id => entry({ message: long, metadata: { id } }))
    )
    if (answer?.status === 202) acknowledged.push(...ids)
    else refused = answer
  }
  t.equal(refused.status, 503)
  t.match(JSON.parse(refused.text), { error_code: 'QUEUE_FULL' })
  t.ok(Number(refused.headers.get('retry-after')) > 0, 'with Retry-After')
  const { status, text } = await program.get('/readyz')
  t.equal(status, 503)
  t.match(JSON.parse(text).checks.queue, { ok: false })
  t.equal((await program.get('/healthz')).status, 200, 'it lives')

  rmSync(fill)
  await until(async () => (await program.get('/readyz')).status === 200)
  t.equal((await program.post('ada', entry({ metadata: { id: 'after' } })))?.status, 202, 'it is well again by itself')
  acknowledged.push('after')
  await logtrail.up()
  await logtrail.waitFor(({ ids }) => acknowledged.every(id => ids.has(id)), 60_000)
  t.equal(logtrail.ids.size, acknowledged.length, 'what was acknowledged is delivered, what was refused is not')
})

t.test('QUEUE_MAX_BYTES: full for new entries, none of the old is dropped', async t => {
  const { program, logtrail } = await start(t, { env: { QUEUE_MAX_BYTES: '1mb' } })
  await logtrail.down()
  const some = Array.from({ length: 50 }, () => entry({ message: 'x'.repeat(2000) }))
  let taken = 0
  let answer = await program.post('ada', some)
  for (; answer?.status === 202; answer = await program.post('ada', some)) taken += some.length
  t.match(JSON.parse(answer!.text), { error_code: 'QUEUE_FULL' })
  t.equal(answer?.status, 503)
  t.equal((await program.get('/readyz')).status, 200, 'it can be written: it is merely full')
  await logtrail.up()
  await logtrail.waitFor(({ entries }) => entries().length === taken, 60_000)
  t.ok(taken > 300, `${taken} entries were taken and delivered`)
  await until(async () => (await program.post('ada', some))?.status === 202)
})

t.test('Logtrail is down: 202 all the same, degraded, delivered after', async t => {
  const { program, begin, logtrail } = await start(t)
  await logtrail.down()
  for (let i = 0; i < 30; i++) t.equal((await program.post('ada', entry({ metadata: { id: `${i}` } })))?.status, 202)
  await until(() => isDegraded(program, 'upstream'))
  await until(async () => (await program.metric('upstream_requests_total', { status: 'error' })) >= 3)
  t.equal(await program.metric('degraded', { check: 'upstream' }), 1)
  t.equal(await program.metric('queue_entries'), 30)
  // A restart in the middle of it changes nothing.
  t.match(await program.kill('SIGTERM'), { status: 0 })
  const again = await begin()
  t.equal(await again.metric('queue_entries'), 30)
  await logtrail.up()
  await logtrail.waitFor(({ ids }) => ids.size === 30, 60_000)
  t.strictSame(
    [...logtrail.ids.keys()].map(Number),
    Array.from({ length: 30 }, (_, i) => i),
    'in their order'
  )
  await until(async () => JSON.parse((await again.get('/readyz')).text).status === 'ok')
})

t.test('Logtrail accepts and never answers: timed out, tried again, delivered', async t => {
  const { program, logtrail } = await start(t)
  logtrail.faults.always({ kind: 'hang' })
  t.equal((await program.post('ada', entry({ metadata: { id: 'late' } })))?.status, 202)
  await until(async () => (await program.metric('upstream_requests_total', { status: 'error' })) >= 2)
  t.ok(await isDegraded(program, 'upstream'))
  t.notOk(logtrail.ids.has('late'))
  logtrail.faults.clear()
  await logtrail.waitFor(({ ids }) => ids.has('late'), 60_000)
  await until(async () => (await program.books()).waiting === 0)
})

t.test('half-open connections: the peer is gone and nobody was told', async t => {
  const logtrail = await startLogtrail()
  t.teardown(() => logtrail.close())
  const links: { forget(): void }[] = []
  // Between the two: once forgotten, a connection carries nothing any more and is not closed either.
  const between = createServer({ allowHalfOpen: true }, near => {
    const far: Socket = connect(logtrail.port, '127.0.0.1')
    near.on('error', () => {})
    far.on('error', () => {})
    near.pipe(far).pipe(near)
    t.teardown(() => near.destroy())
    links.push({
      forget() {
        near.unpipe(far)
        far.unpipe(near)
        near.resume()
        far.destroy()
      }
    })
  })
  await new Promise<void>(resolve => between.listen(0, '127.0.0.1', resolve))
  t.teardown(() => between.close())
  const { port } = between.address() as { port: number }
  for (const [delivery, status] of [
    ['queued', 202],
    ['pooled', 201]
  ] as const) {
    const program = await startProgram(
      {
        DELIVERY: delivery,
        LOGTRAIL_URL: logtrail.url.replace(String(logtrail.port), String(port)),
        LOGTRAIL_API_KEY: logtrail.key,
        LOGTRAIL_TIMEOUT: '500ms',
        BATCH_MAX_WAIT: '10ms'
      },
      t.testdir({})
    )
    t.teardown(() => void program.child.process.kill('SIGKILL'))
    t.equal((await program.post('ada', entry({ metadata: { id: `${delivery} 1` } })))?.status, status)
    await logtrail.waitFor(({ ids }) => ids.has(`${delivery} 1`))
    for (const link of links) link.forget()
    t.equal((await program.post('ada', entry({ metadata: { id: `${delivery} 2` } })))?.status, status)
    await logtrail.waitFor(({ ids }) => ids.has(`${delivery} 2`), 30_000)
    t.equal(await program.metric('upstream_requests_total', { status: 'error' }), 1, 'timed out once, then anew')
    await program.kill('SIGTERM')
  }
})

t.test('the clock jumps, forward past QUEUE_MAX_AGE and back: all is delivered, in its order', async t => {
  const clock = new URL('../oracle/jumping-clock.mjs', import.meta.url)
  const { program, logtrail } = await start(t, { env: { NODE_OPTIONS: `--import=${clock}`, CLOCK_JUMPS: '40,-80' } })
  const ids: string[] = []
  const some = async (when: string) => {
    for (let i = 0; i < 10; i++) {
      const id = `${when} ${i}`
      t.equal((await program.post('ada', entry({ metadata: { id } })))?.status, 202, id)
      ids.push(id)
    }
  }
  await some('before')
  await logtrail.down()
  await some('down')
  for (const when of ['40 days on', '40 days back']) {
    program.child.process.kill('SIGCONT')
    await program.child.said(`the clock jumped`)
    await until(() => program.child.out().split('the clock jumped').length - 1 === (when === '40 days on' ? 1 : 2))
    await some(when)
  }
  await logtrail.up()
  await logtrail.waitFor(({ ids: stored }) => stored.size === ids.length, 60_000)
  t.strictSame([...logtrail.ids.keys()], ids)
  await until(async () => (await program.books()).waiting === 0)
  t.match(await program.books(), { received: ids.length, delivered: ids.length, deadLetters: 0 })
})
