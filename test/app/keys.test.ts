import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { entry, type Program, startProxy } from '../helper/proxy.js'
import { isError } from './is-error.js'

const OFF = { RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0', RATE_LIMIT_IP_MAX: '0' }
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

t.test('many at once when the first key goes: none is lost', async t => {
  const keys = [makeKey(), makeKey()]
  const program = await startProxy(t, {
    env: { ...OFF, LOGTRAIL_API_KEY: keys.join(',') },
    logtrail: { keys, latencyMs: 20 }
  })
  t.equal((await program.post(entry())).status, 201)
  program.logtrail.revokeKey(keys[0]!)
  const answers = await Promise.all(Array.from({ length: 50 }, () => program.post(entry())))
  t.ok(answers.every(({ status }) => status === 201))
  t.equal(program.logtrail.entries().length, 51)
})

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

async function swap(t: Test, path: string, put: (key: string) => void): Promise<void> {
  const [first, second] = [makeKey(), makeKey()]
  put(first)
  const program = await startProxy(t, {
    env: { ...OFF, LOGTRAIL_API_KEY: '', LOGTRAIL_API_KEY_FILE: path },
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
    statuses.every(status => status === 201),
    `not one of ${statuses.length} answers was an error`
  )
  t.equal(program.logtrail.entries().length, statuses.length)

  const before = program.lines.length
  put('lt_production_wo_not_for_here_0123456789')
  while (!program.lines.slice(before).some(line => line.includes('the key in use stays'))) {
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  t.equal((await program.post(entry())).status, 201, 'a key that will not do is reported, and the old one kept')
  t.notMatch(program.lines.join(''), new RegExp(`${first}|${second}|not_for_here`), 'and no key is ever written')
}

t.test('a new key in the file takes over without an error in any browser', async t => {
  const path = join(t.testdir({}), 'key')
  await swap(t, path, key => {
    writeFileSync(`${path}.new`, `${key}\n`)
    renameSync(`${path}.new`, path)
  })
})

t.test("through Kubernetes' swap of a symlink too", async t => {
  const dir = t.testdir({})
  let version = 0
  await swap(t, join(dir, 'key'), key => {
    const folder = `..v${++version}`
    mkdirSync(join(dir, folder))
    writeFileSync(join(dir, folder, 'key'), key)
    symlinkSync(folder, join(dir, '..data_tmp'))
    renameSync(join(dir, '..data_tmp'), join(dir, '..data'))
    if (version === 1) symlinkSync('..data/key', join(dir, 'key'))
    else rmSync(join(dir, `..v${version - 1}`), { recursive: true })
  })
})
