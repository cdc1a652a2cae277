import type { FastifyBaseLogger } from 'fastify'
import t from 'tap'
import { createBurialLog } from '../../src/app/burial-log.js'
import { books } from '../admin/scrape.js'
import { createFakeClock } from '../delivery/fake-clock.js'
import { entry, startProxy } from '../helper/proxy.js'
import { until } from '../oracle/program.js'

t.test('the first of a code is said at once, what follows it in one line every ten seconds', async t => {
  const clock = createFakeClock()
  const said: object[] = []
  const log = { error: (what: object) => void said.push(what) } as unknown as FastifyBaseLogger
  const { buried, end } = createBurialLog(log, clock)
  const since = () => said.splice(0)
  for (let n = 0; n < 350; n++) buried(1, 'BAD')
  buried(7, 'EXPIRED')
  t.strictSame(since(), [
    { entries: 1, code: 'BAD' },
    { entries: 7, code: 'EXPIRED' }
  ])
  await clock.advance(10_000)
  t.strictSame(since(), [{ entries: 349, code: 'BAD' }])
  buried(2, 'BAD')
  buried(1, 'EXPIRED')
  t.strictSame(since(), [{ entries: 1, code: 'EXPIRED' }])
  await clock.advance(10_000)
  t.strictSame(since(), [{ entries: 2, code: 'BAD' }])
  await clock.advance(20_000)
  t.strictSame(since(), [], 'nothing of none')
  t.equal(clock.timers, 0)

  buried(1, 'BAD')
  buried(3, 'BAD')
  buried(1, 'EXPIRED')
  end()
  t.strictSame(since(), [
    { entries: 1, code: 'BAD' },
    { entries: 1, code: 'EXPIRED' },
    { entries: 3, code: 'BAD' }
  ])
  t.equal(clock.timers, 0)
})

t.test('a bulk of bad entries is no line for each, and all are told before the end', async t => {
  const env = { DELIVERY: 'queued', BATCH_MAX_WAIT: '10ms', QUEUE_PATH: t.testdir({}) }
  const refuse = () => ({ field: 'action', message: 'is bad' })
  const proxy = await startProxy(t, { logtrail: { refuse }, env })
  const bulk = Array.from({ length: 20 }, () => entry())
  t.equal((await proxy.post(bulk, { path: '/logtrail/logs/bulk' })).status, 202)
  await until(async () => (await books(proxy)).deadLetters === 20)
  await proxy.server.close()
  const lines = proxy.lines.filter(line => line.includes('became dead letters')).map(line => JSON.parse(line))
  t.equal(lines.length, 2)
  t.equal(lines[0].entries, 1)
  t.equal(lines[1].entries, 19)
})
