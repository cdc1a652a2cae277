import t from 'tap'
import { createMonitor } from '../../src/admin/monitor.js'

// "/readyz ... ok | degraded": the first question came before Redis was connected, and the next 10 s later, so that each
// start with SESSION_MODE=redis was degraded for so long.
t.test('a check that fails is asked again soon', async t => {
  let asked = 0
  // the monitor's own timers keep no process alive
  const hold = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(hold))
  let monitor = createMonitor({}, 60_000, 5)
  monitor.stop()
  await new Promise<void>(resolve => {
    monitor = createMonitor(
      {
        async session() {
          asked += 1
          if (asked === 3) setImmediate(resolve)
          return { ok: asked === 3, message: `${asked}` }
        }
      },
      60_000,
      5
    )
  })
  t.strictSame(monitor.last('session'), { ok: true, message: '3' })
  monitor.stop()
})
