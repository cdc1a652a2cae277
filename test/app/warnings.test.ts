import type { FastifyBaseLogger } from 'fastify'
import t from 'tap'
import { createWarnings } from '../../src/app/warnings.js'

t.test('what every request meets is said seldom: of forwarding once, of overload once a minute', async t => {
  const said: unknown[] = []
  const log = { warn: (what: object) => said.push(what) } as unknown as FastifyBaseLogger
  let now = 0
  const warn = createWarnings(log, () => now)
  for (const address of ['192.0.2.1', '192.0.2.2']) warn.untrustedForwarding(address)
  for (const at of [0, 59_999, 60_000]) {
    now = at
    warn.overload(`memory at ${at}`)
  }
  t.same(said, [{ address: '192.0.2.1' }, { short: 'memory at 0' }, { short: 'memory at 60000' }])
})
