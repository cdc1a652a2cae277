import t from 'tap'
import { books } from '../admin/scrape.js'
import { entry, startProxy } from '../helper/proxy.js'

/** Entries below MIN_LEVEL are taken and left out; what is said of the others counts them as the browser does. */
const bad = entry({ level: 'error', action: 'refuse.me' })
const entries = [entry({ level: 'debug' }), bad, entry({ level: 'debug' }), entry({ level: 'warn' })]

for (const delivery of ['direct', 'pooled']) {
  t.test(`${delivery}: faults are named by the index in the browser's request`, async t => {
    const program = await startProxy(t, {
      env: { DELIVERY: delivery, MIN_LEVEL: 'info' },
      logtrail: { refuse: ({ action }) => (action === 'refuse.me' ? { field: 'action', message: 'no' } : undefined) }
    })
    const mixed = await program.post(entries, { path: '/logtrail/logs/bulk' })
    if (delivery === 'direct') t.match(mixed, { status: 400, body: { details: { errors: [{ log_index: 1 }] } } })
    else t.match(mixed, { status: 201, body: { accepted: 3, rejected: [{ log_index: 1 }] } })
    const only = await program.post(entries.slice(0, 3), { path: '/logtrail/logs/bulk' })
    if (delivery === 'direct') {
      t.match(only, { status: 400, body: { error_code: 'VALIDATION_FAILED', details: { errors: [{ log_index: 1 }] } } })
    } else {
      // left out is taken: 400 is for requests of which nothing was
      const rejected = [{ log_index: 1, field: 'action', message: 'no' }]
      t.match(only, { status: 201 })
      t.strictSame(only.body, { accepted: 2, rejected })
      const two = await program.post([bad, entry({ level: 'debug' }), bad], { path: '/logtrail/logs/bulk' })
      t.strictSame(two.body, {
        accepted: 1,
        rejected: [
          { ...rejected[0], log_index: 0 },
          { ...rejected[0], log_index: 2 }
        ]
      })
      const none = await program.post([bad, bad], { path: '/logtrail/logs/bulk' })
      t.match(none, { status: 400, body: { details: { errors: [{ log_index: 0 }, { log_index: 1 }] } } })
      t.match(await books(program), { received: 12, filtered: 5, rejected: 6, delivered: 1, waiting: 0 })
    }
    const single = await program.post(bad)
    t.match(single, { status: 400, body: { details: { errors: [{ log_index: null }] } } })
    const none = await program.post(entry({ level: 'trace' }))
    t.match(none, { status: 201, body: { accepted: 1 } })
  })
}
