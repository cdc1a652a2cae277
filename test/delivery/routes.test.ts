import fastify, { type FastifyReply } from 'fastify'
import t, { type Test } from 'tap'
import type { Receipt } from '../../src/delivery/delivery.js'
import { deliveryRoutes } from '../../src/delivery/routes.js'
import { HttpError } from '../../src/errors.js'

/** A browser that was told 503 already, since the program ends, while its entries were still on their way. */
async function start(t: Test, delivered: Promise<Receipt>) {
  const warnings: string[] = []
  const app = fastify({ logger: { level: 'warn', stream: { write: line => void warnings.push(line) } } })
  t.teardown(() => app.close())
  const replies: FastifyReply[] = []
  deliveryRoutes(app, {
    paths: { logs: '/logs', bulk: '/logs/bulk' },
    delivery: { deliver: () => delivered },
    read: (_request, reply) => void replies.push(reply),
    toDeliver: () => ({ user: 'u:ada', entries: ['{}'], bulk: false }),
    positions: () => undefined,
    status: 202,
    leftOut: () => 0
  })
  const answer = app.inject({ method: 'POST', url: '/logs', payload: {} })
  while (replies.length === 0) await new Promise(setImmediate)
  replies[0]!.code(503).send('over')
  return { answer: await answer, warnings }
}

for (const [how, settle] of [
  ['stored', async () => ({ accepted: 1 })],
  [
    'refused',
    async () => {
      throw new HttpError('QUEUE_FULL')
    }
  ]
] as const) {
  t.test(`entries that are ${how} after their browser was told 503 change nothing any more`, async t => {
    let open = () => {}
    const gate = new Promise<void>(resolve => {
      open = resolve
    })
    const { answer, warnings } = await start(t, gate.then(settle))
    open()
    await new Promise(setImmediate)
    t.match(answer, { statusCode: 503, body: 'over' })
    t.same(warnings, [], 'nobody tries to answer again')
  })
}
