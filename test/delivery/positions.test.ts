import fastify from 'fastify'
import t from 'tap'
import { deliveryRoutes, inRequest } from '../../src/delivery/routes.js'
import { type Fault, HttpError } from '../../src/errors.js'

const fault = (log_index: number | null): Fault => ({ log_index, field: 'action', message: 'is bad' })

t.test('faults are told by the indexes that the browser counts', async t => {
  t.match(inRequest([fault(0), fault(1), fault(null), fault(7)], [2, 5]), [
    { log_index: 2 },
    { log_index: 5 },
    { log_index: null },
    // of eight entries that the browser sent, its own number 7 may be a good one
    { log_index: null }
  ])
})

t.test('errors of a delivery whose entries were not all of the request', async t => {
  let failure: Error = new Error()
  let answer: unknown
  const app = fastify({ logger: false })
  t.teardown(() => app.close())
  const caught: unknown[] = []
  app.setErrorHandler((error, _request, reply) => {
    caught.push(error)
    reply.code(500).send()
  })
  deliveryRoutes(app, {
    paths: { logs: '/logs', bulk: '/logs/bulk' },
    delivery: { deliver: () => Promise.reject(failure) },
    read: () => {},
    toDeliver: () => ({ user: 'u:ada', entries: ['{}'], bulk: true }),
    positions: () => [3],
    status: 201,
    leftOut: () => 3
  })
  const of = async (error: Error) => {
    failure = error
    answer = await app.inject({ method: 'POST', url: '/logs/bulk' })
    return caught.at(-1)
  }
  t.match(await of(new HttpError('UPSTREAM_TIMEOUT', { faults: [fault(0)] })), { faults: [{ log_index: 3 }] })
  const plain = new HttpError('UPSTREAM_TIMEOUT')
  t.equal(await of(plain), plain, 'as it is where it names none')
  const own = new TypeError('broken')
  t.equal(await of(own), own, 'nor is one of our own touched')
  await of(new HttpError('VALIDATION_FAILED', { faults: [fault(0)] }))
  t.equal(caught.length, 3, 'refused is the rest alone: what was left out is taken')
  t.match(answer, { statusCode: 201, body: JSON.stringify({ accepted: 3, rejected: [fault(3)] }) })
})
