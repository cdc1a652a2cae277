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

t.test('pooled: a refusal without a word is a refusal', async t => {
  const program = await startProxy(t, { env: { DELIVERY: 'pooled' } })
  const { faults } = program.logtrail
  for (const fault of [
    { kind: 'status', status: 400, body: 'empty' },
    { kind: 'status', status: 422, body: 'empty' },
    { kind: 'status', status: 413, body: 'html' }
  ] as const) {
    faults.push(fault)
    t.match(await program.post(entry()), {
      status: 400,
      body: { error_code: 'VALIDATION_FAILED', details: { errors: [{ log_index: null, message: /refused/ }] } }
    })
    faults.push(fault, null, fault)
    t.match(await program.post([entry(), entry()], { path: '/logtrail/logs/bulk' }), {
      status: 201,
      body: { accepted: 1, rejected: [{ log_index: 1, field: '', message: /refused/ }] }
    })
  }
  faults.push({ kind: 'status', status: 400, code: 'VALIDATION_BULK_LIMIT_EXCEEDED' })
  t.match(await program.post(entry()), { status: 400, body: { error_code: 'VALIDATION_FAILED' } })
  faults.push({ kind: 'status', status: 400, body: 'html' })
  t.equal((await program.post(entry())).status, 201, 'a web page is a fault, and ridden out')
})

t.test('queued: a refusal without a word is a dead letter, and what comes after it goes', async t => {
  const env = { DELIVERY: 'queued', QUEUE_PATH: t.testdir({}), BATCH_MAX_WAIT: '10ms' }
  const program = await startProxy(t, { env })
  program.logtrail.faults.push({ kind: 'status', status: 400, body: 'empty' })
  t.equal((await program.post(entry())).status, 202)
  await program.logtrail.waitFor(({ requests }) => requests[0]?.status === 400)
  t.equal((await program.post(entry())).status, 202)
  await program.logtrail.waitFor(({ entries }) => entries().length === 1)
  t.match(program.lines.join(''), /VALIDATION_FAILED.*dead letters/)
})
