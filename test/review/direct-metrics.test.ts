import t from 'tap'
import { sampleOf, scrape } from '../admin/scrape.js'
import { entry, startProxy } from '../helper/proxy.js'

// The interface's list of metrics knows no modes: direct mode lacked those of queue and budget, so that a dashboard or a
// rule for them had no data. It keeps no budget of its own; what Logtrail says that it has left is the next best.
t.test('direct: nothing waits, and what is left is what Logtrail says', async t => {
  const program = await startProxy(t, { env: { LOGTRAIL_PLAN: 'free' }, logtrail: { plan: 'free' } })
  const read = async () => {
    const samples = await scrape(program)
    return ['queue_entries', 'queue_bytes', 'queue_oldest_age_seconds', 'budget_remaining'].map(name =>
      sampleOf(samples, `logtrail_bff_${name}`)
    )
  }
  t.same(await read(), [0, 0, 0, 120], "the plan's, before Logtrail says anything")
  for (let n = 0; n < 3; n++) await program.post(entry())
  const [, , , left] = await read()
  t.ok(left! < 120 && left! > 110, `${left} are left`)
})
