import { renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { entry, type Program, startProxy } from '../helper/proxy.js'
import { createKeyFolder } from '../oracle/key-folder.js'
import { folder } from '../outbox/folder.js'
import { until } from '../outbox/until.js'
import { isError } from './is-error.js'

const OFF = { RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0', RATE_LIMIT_IP_MAX: '0' }
const MODES = [
  ['direct', 201],
  ['pooled', 201],
  ['queued', 202]
] as const

const keysOf = (program: Program) =>
  program.logtrail.requests.map(
    ({ rawHeaders }) => rawHeaders[rawHeaders.findIndex(name => /^x-api-key$/i.test(name)) + 1]
  )

t.test('a second key is tried when the first is refused, once, and stays', async t => {
  const keys = [makeKey(), makeKey()]
  const [first, second] = keys as [string, string]
  const program = await startProxy(t, { env: { ...OFF, LOGTRAIL_API_KEY: keys.join(',') }, logtrail: { keys } })
  t.equal((await program.post(entry())).status, 201)
  t.same(keysOf(program), [first])
  program.logtrail.revokeKey(first)
  t.equal((await program.post(entry())).status, 201, 'the browser notices nothing')
  t.same(keysOf(program), [first, first, second])
  t.equal((await program.post(entry())).status, 201)
  t.same(keysOf(program), [first, first, second, second], 'and it stays in use')
  program.logtrail.revokeKey(second)
  isError(t, await program.post(entry()), 502, 'UPSTREAM_REJECTED_KEY')
  t.equal(keysOf(program).length, 5, 'a key known as refused is not tried for it')
  const states = [...(await program.get('/metrics')).text.matchAll(/key_info\{.*state="(\w+)"/g)].map(
    ([, state]) => state
  )
  t.same(states, ['refused', 'refused'])
  program.logtrail.addKey(first)
  let answer = await program.post(entry())
  if (answer.status !== 201) answer = await program.post(entry())
  t.equal(answer.status, 201, 'whichever is put right is found')
})

for (const [delivery, status] of MODES) {
  t.test(`${delivery}: many at once when the first key goes: none is lost`, async t => {
    const keys = [makeKey(), makeKey()]
    const program = await startProxy(t, {
      env: { ...OFF, DELIVERY: delivery, QUEUE_PATH: folder(t), LOGTRAIL_API_KEY: keys.join(',') },
      logtrail: { keys, latencyMs: 20 }
    })
    t.equal((await program.post(entry())).status, status)
    await program.logtrail.waitFor(({ entries }) => entries().length === 1)
    program.logtrail.revokeKey(keys[0]!)
    const answers = await Promise.all(Array.from({ length: 50 }, (_, i) => program.post(entry(), { user: `u${i}` })))
    t.ok(answers.every(answer => answer.status === status))
    await program.logtrail.waitFor(({ entries }) => entries().length === 51)
    t.notMatch(program.lines.join(''), /do not go to Logtrail/, 'nothing to be alarmed about: the second key is good')
  })
}

t.test('a key without the scope', async t => {
  const logtrailKeys = [makeKey('development', 'wo')]
  const program = await startProxy(t, {
    env: { ...OFF, LOGTRAIL_API_KEY: makeKey() },
    logtrail: { keys: logtrailKeys }
  })
  isError(t, await program.post(entry()), 502, 'UPSTREAM_REJECTED_KEY')
  t.match(
    program.lines.find(line => line.includes('refused the API key')),
    /"level":"error".*"fingerprint":"[0-9a-f]{8}"/
  )
  t.notOk(program.lines.join('').includes(program.logtrail.key))
})

/** Requests without a pause, until told to stop; resolves with the statuses of all. */
function traffic(program: Program) {
  let going = true
  const statuses: number[] = []
  const one = async () => {
    while (going) statuses.push((await program.post(entry())).status)
  }
  const all = Promise.all([one(), one(), one()])
  return {
    statuses,
    async stop() {
      going = false
      await all
      return statuses
    }
  }
}

/** The key in a file changes under traffic, as an operator does it: no browser sees an error, no entry is lost. */
async function swap(
  t: Test,
  delivery: string,
  status: number,
  path: string,
  put: (key: string) => void
): Promise<void> {
  const [first, second] = [makeKey(), makeKey()]
  put(first)
  const program = await startProxy(t, {
    env: {
      ...OFF,
      DELIVERY: delivery,
      QUEUE_PATH: folder(t),
      BATCH_MAX_WAIT: '5ms',
      LOGTRAIL_API_KEY: '',
      LOGTRAIL_API_KEY_FILE: path
    },
    logtrail: { keys: [first], enforceRate: false }
  })
  const browser = traffic(program)
  await program.logtrail.waitFor(({ entries }) => entries().length > 10)
  // as in the dashboard: the new one is made, put in place, and only then the old one is revoked
  program.logtrail.addKey(second)
  put(second)
  await program.logtrail.waitFor(({ stored }) => stored().at(-1)?.key === second, 20_000)
  program.logtrail.revokeKey(first)
  const after = program.logtrail.entries().length
  await program.logtrail.waitFor(({ entries }) => entries().length > after + 10)
  const statuses = await browser.stop()
  t.ok(
    statuses.every(given => given === status),
    `not one of ${statuses.length} answers was an error`
  )
  await program.logtrail.waitFor(({ entries }) => entries().length === statuses.length)

  const before = program.lines.length
  put('lt_production_wo_not_for_here_0123456789')
  await until(() => program.lines.slice(before).some(line => line.includes('the key in use stays')))
  t.equal((await program.post(entry())).status, status, 'a key that will not do is reported, and the old one kept')
  t.notMatch(program.lines.join(''), new RegExp(`${first}|${second}|not_for_here`), 'and no key is ever written')
}

for (const [delivery, status] of MODES) {
  t.test(`${delivery}: a new key in the file takes over without an error in any browser`, async t => {
    const path = join(folder(t), 'key')
    await swap(t, delivery, status, path, key => {
      writeFileSync(`${path}.new`, `${key}\n`)
      renameSync(`${path}.new`, path)
    })
  })

  t.test(`${delivery}: through Kubernetes' swap of a symlink too`, async t => {
    const keys = createKeyFolder(folder(t))
    await swap(t, delivery, status, keys.path, key => keys.put([key]))
  })
}

t.test('a new key that may do more than it should is taken, and warned about', async t => {
  const [first, second] = [makeKey(), makeKey('development', 'rw')]
  const keys = createKeyFolder(folder(t))
  keys.put([first])
  const program = await startProxy(t, {
    env: { LOGTRAIL_API_KEY: '', LOGTRAIL_API_KEY_FILE: keys.path },
    logtrail: { keys: [first, second] }
  })
  keys.put([second])
  await until(() => program.lines.some(line => line.includes('another API key is in use now')))
  t.ok(program.lines.some(line => /"level":"warn".*read/.test(line)))
  t.equal((await program.post(entry())).status, 201)
  t.equal(program.logtrail.stored().at(-1)?.key, second)
  program.server.log.warn(`whatever writes ${second} into a line`)
  t.match(program.lines.at(-1), /whatever writes \[SECRET\] into a line/)
})

for (const [delivery, status] of MODES.slice(1)) {
  t.test(`${delivery}: the old key is revoked before the new one is there: browsers wait, none is told`, async t => {
    const [first, second] = [makeKey(), makeKey()]
    const keys = createKeyFolder(folder(t))
    keys.put([first])
    const program = await startProxy(t, {
      env: {
        ...OFF,
        DELIVERY: delivery,
        QUEUE_PATH: folder(t),
        LOGTRAIL_API_KEY: '',
        LOGTRAIL_API_KEY_FILE: keys.path
      },
      logtrail: { keys: [first], enforceRate: false }
    })
    t.equal((await program.post(entry())).status, status)
    await program.logtrail.waitFor(({ entries }) => entries().length === 1)
    program.logtrail.revokeKey(first)
    const answers = Array.from({ length: 20 }, (_, i) => program.post(entry(), { user: `u${i}` }))
    const state = async () => (await program.get('/readyz')).body
    await until(async () => (await state()).status === 'degraded')
    t.match(await state(), { checks: { key: { ok: false }, upstream: { ok: false } } })
    t.ok(program.lines.some(line => line.includes('refused the API key')))
    program.logtrail.addKey(second)
    keys.put([second])
    t.ok((await Promise.all(answers)).every(answer => answer.status === status))
    await program.logtrail.waitFor(({ entries }) => entries().length === 21)
    await until(async () => (await state()).status === 'ok')
  })
}
