import t from 'tap'
import { createChecks } from '../../src/app/checks.js'
import { createKeyring } from '../../src/logtrail/keyring.js'
import { makeKey } from '../helper/logtrail/keys.js'

t.test('before there is a line, nothing can be queued, and nothing says that Logtrail is down', async t => {
  const keyring = createKeyring([makeKey()])
  const sessions = { check: async () => ({ ok: true, message: 'well' }) }
  const checks = createChecks({
    phase: () => 'starting',
    keyring,
    sessions: sessions as never,
    redis: undefined,
    upstream: undefined,
    line: () => undefined
  })
  t.teardown(() => {
    checks.stop()
    keyring.close()
  })
  const { queue, upstream } = checks.checks
  t.same(await queue?.(), { ok: false, message: '0 entries wait' })
  t.match(await upstream?.(), { ok: true })
  t.equal(checks.writable(), true, 'no queue has failed')
})
