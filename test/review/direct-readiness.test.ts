import t from 'tap'
import { entry, startProxy } from '../helper/proxy.js'

// "/readyz ... each check by name (key, session, queue, redis, upstream)": direct mode said nothing of the upstream.
t.test('direct: /readyz says what Logtrail did with the last request', async t => {
  const program = await startProxy(t)
  const upstream = async () => (await program.get('/readyz')).body
  t.match(await upstream(), { status: 'ok', checks: { upstream: { ok: true } } })
  program.logtrail.faults.push({ kind: 'status', status: 500 })
  await program.post(entry())
  t.match(await upstream(), { status: 'degraded', checks: { upstream: { ok: false } } })
  await program.post(entry())
  t.match(await upstream(), { status: 'ok', checks: { upstream: { ok: true } } })
  program.logtrail.faults.push({ kind: 'reset-after' })
  await program.post(entry())
  const answer = await program.get('/readyz')
  t.match(answer, { status: 200, body: { status: 'degraded', checks: { upstream: { ok: false } } } })
  t.match((await program.get('/metrics')).text, 'logtrail_bff_degraded{check="upstream"} 1')
})
