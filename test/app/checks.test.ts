import t from 'tap'
import { createChecks } from '../../src/app/checks.js'
import { createUpstreamCheck } from '../../src/app/upstream.js'
import { createKeyring } from '../../src/logtrail/keyring.js'
import { makeKey } from '../helper/logtrail/keys.js'

t.test('before there is a line, nothing can be queued, and nothing says that Logtrail is down', async t => {
  const keyring = createKeyring([makeKey()])
  const sessions = { check: async () => ({ ok: true, message: 'well' }) }
  const upstream = createUpstreamCheck('http://127.0.0.1:1')
  const checks = createChecks({
    phase: () => 'starting',
    keyring,
    sessions: sessions as never,
    redis: undefined,
    upstream,
    direct: false,
    line: () => undefined
  })
  t.teardown(() => {
    checks.stop()
    keyring.close()
  })
  t.same(checks.checks.queue!(), { ok: false, message: 'the queue is being opened' })
  t.match(checks.checks.upstream!(), { ok: true })
  upstream.saw(201)
  t.match(checks.checks.upstream!(), { ok: true })
  t.equal(checks.writable(), true, 'no queue has failed')
})
