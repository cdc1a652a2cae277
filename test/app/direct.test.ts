import fastify from 'fastify'
import t from 'tap'
import { direct } from '../../src/delivery/direct.js'
import { entry, startProxy } from '../helper/proxy.js'

t.test('an entry goes through with the key, the user and nothing of the browser', async t => {
  const proxy = await startProxy(t)
  const answer = await proxy.post(entry({ actor: { id: 'mallory', email: 'm@example.org' } }), {
    headers: { 'x-request-id': 'mine', referer: 'https://app.example/secret', connection: 'keep-alive' }
  })
  t.equal(answer.status, 201)
  t.match(answer.headers.get('x-session-tag'), /^[0-9a-f]{16}$/)
  t.equal(answer.headers.get('x-ratelimit-limit'), '120')
  t.same(proxy.logtrail.entries(), [{ ...entry(), actor: { id: 'ada' } }])
  const [request] = proxy.logtrail.requests
  const names = request!.rawHeaders.filter((_, index) => index % 2 === 0).map(name => name.toLowerCase())
  t.same(
    names.sort(),
    ['accept', 'connection', 'content-length', 'content-type', 'host', 'user-agent', 'x-api-key', 'x-request-id'].sort()
  )
  t.match(request!.rawHeaders, new Array(0))
  t.notMatch(request!.rawHeaders.join(), /mine|secret|session/)
})

t.test('a fault that is none of Logtrail is ours: 500, and the entries are in the books', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const settled: boolean[] = []
  await direct(app, {
    client: {
      requestable: { request: (_options: unknown, done: (error: Error) => void) => done(new Error('inside')) }
    },
    baseUrl: 'http://127.0.0.1:1/api',
    paths: { logs: '/logs', bulk: '/logs/bulk' },
    read: async () => {},
    entries: () => ['{}'],
    positions: () => undefined,
    onSettled: (_request: unknown, delivered: boolean) => void settled.push(delivered),
    nothingToSend: (_request: unknown, reply: unknown) => reply
  } as never)
  const { statusCode } = await app.inject({ method: 'POST', url: '/logs', payload: {} })
  t.equal(statusCode, 500)
  t.same(settled, [false])
})

t.test('an answer that comes after the browser was told 503 is in the books, and no more', async t => {
  const proxy = await startProxy(t, { env: { SHUTDOWN_TIMEOUT: '50ms' }, logtrail: { latencyMs: 400 } })
  const answer = proxy.post(entry())
  await proxy.logtrail.waitFor(({ requests }) => requests.length === 1)
  const closed = proxy.server.close()
  t.match(await answer, { status: 503, body: { error_code: 'SHUTTING_DOWN' } })
  await proxy.logtrail.waitFor(({ requests }) => requests[0]!.status === 201)
  await closed
  t.notMatch(proxy.lines.join(''), /already sent|"level":"(error|fatal)"/i)
})
