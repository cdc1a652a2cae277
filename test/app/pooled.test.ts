import t from 'tap'
import { entry, startProxy } from '../helper/proxy.js'

t.test('pooled: many browsers, few requests, each its own verdict', async t => {
  const program = await startProxy(t, { env: { DELIVERY: 'pooled' } })
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, n) => program.post(entry({ metadata: { n } }), { user: `user${n}` }))
  )
  t.ok(answers.every(({ status, text }) => status === 201 && text === '{"accepted":1}'))
  t.equal(program.logtrail.entries().length, 40)
  t.ok(program.logtrail.requests.length < 40)
})

t.test('queued: acknowledged once stored, delivered after', async t => {
  const program = await startProxy(t, { env: { DELIVERY: 'queued', QUEUE_PATH: t.testdir({}) } })
  const answer = await program.post([entry(), entry()], { path: '/logtrail/logs/bulk' })
  t.equal(answer.status, 202)
  t.same(answer.body, { accepted: 2 })
  await program.logtrail.waitFor(({ entries }) => entries().length === 2)
})
