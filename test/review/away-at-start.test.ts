import t from 'tap'
import { freePort } from '../helper/free-port.js'
import { entry, startProxy } from '../helper/proxy.js'
import { startRedis } from '../helper/redis.js'
import { until } from '../outbox/until.js'

// "A session source, Redis or Logtrail that is down at start does not stop it: /readyz tells": of Logtrail it said that it
// takes entries, until the first entry had come; and of a Redis that stood still that it was connected.
for (const DELIVERY of ['direct', 'pooled', 'queued']) {
  t.test(`${DELIVERY}: Logtrail is away at start`, async t => {
    const LOGTRAIL_URL = `http://127.0.0.1:${await freePort()}/api`
    const folder = t.testdir({})
    const away = await startProxy(t, { env: { DELIVERY, QUEUE_PATH: `${folder}/away`, LOGTRAIL_URL } })
    let answer = await away.get('/readyz')
    await until(async () => {
      answer = await away.get('/readyz')
      return !answer.body.checks.upstream.ok
    })
    t.match(answer, {
      status: 200,
      body: { status: 'degraded', checks: { upstream: { message: 'Logtrail cannot be reached (ECONNREFUSED)' } } }
    })
    t.match((await away.get('/metrics')).text, 'logtrail_bff_degraded{check="upstream"} 1')

    const there = await startProxy(t, { env: { DELIVERY, QUEUE_PATH: `${folder}/there` } })
    t.match((await there.get('/readyz')).body, { status: 'ok', checks: { upstream: { ok: true } } })
    await there.post(entry())
    await there.logtrail.waitFor(({ entries }) => entries().length === 1)
    t.match((await there.get('/readyz')).body, { status: 'ok', checks: { upstream: { ok: true } } })
  })
}

const redis = await startRedis()
t.teardown(() => redis?.stop())

t.test('a Redis that stands still', { skip: redis ? false : 'redis-server is not installed' }, async t => {
  const { url, pause, resume } = redis!
  const program = await startProxy(t, { env: { REDIS_URL: url } })
  const told = async (ok: boolean) => {
    let answer = await program.get('/readyz')
    await until(async () => {
      answer = await program.get('/readyz')
      return answer.body.checks.redis.ok === ok
    })
    return answer
  }
  t.match(await told(true), { body: { checks: { redis: { message: 'connected' } } } })
  pause()
  t.match(await told(false), { status: 200, body: { status: 'degraded' } })
  resume()
  await told(true)
})
