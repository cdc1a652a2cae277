import fastify from 'fastify'
import t from 'tap'
import { type Dispatcher, Pool } from 'undici'
import { direct } from '../../src/delivery/direct.js'
import { entry, startProxy } from '../helper/proxy.js'

/**
 * Direct delivery goes by @fastify/http-proxy. What it then does for itself could as well be done without: were the plugin
 * gone round, nothing else would say so. So each route, and each request that leaves, is asked where it comes from.
 */
const { stackTraceLimit } = Error
t.before(() => {
  Error.stackTraceLimit = 100
})
t.teardown(() => {
  Error.stackTraceLimit = stackTraceLimit
})

t.test('the routes of direct delivery are those of @fastify/http-proxy', async t => {
  const app = fastify()
  t.teardown(() => app.close())
  const routes: Record<string, string> = {}
  app.addHook('onRoute', ({ method, url }) => {
    routes[`${method} ${url}`] = new Error('way').stack ?? ''
  })
  await direct(app, {
    client: { requestable: { request() {} } },
    baseUrl: 'http://127.0.0.1:1/api',
    paths: { logs: '/a/logs', bulk: '/a/logs/bulk' }
  } as never)
  t.strictSame(Object.keys(routes).sort(), ['POST /a/logs', 'POST /a/logs/bulk'])
  for (const way of Object.values(routes)) t.match(way, /node_modules\/@fastify\/http-proxy\//)
})

t.test('what leaves goes by its reply.from', async t => {
  const ways: string[] = []
  const { dispatch } = Pool.prototype
  t.teardown(() => {
    Pool.prototype.dispatch = dispatch
  })
  Pool.prototype.dispatch = function (options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler) {
    // the test's own fetch comes by here as well
    if (options.path.startsWith('/api/v1/workspace')) ways.push(new Error('way').stack ?? '')
    return dispatch.call(this, options, handler)
  }
  const proxy = await startProxy(t)
  t.equal((await proxy.post(entry())).status, 201)
  t.equal((await proxy.post([entry(), entry()], { path: '/logtrail/logs/bulk' })).status, 201)
  t.equal((await proxy.post({})).status, 400)
  proxy.logtrail.faults.push({ kind: 'status', status: 500 })
  t.equal((await proxy.post(entry())).status, 502)
  t.equal(proxy.logtrail.requests.length, 3)
  t.equal(ways.length, 3, 'nothing reaches Logtrail by another connection')
  for (const way of ways) t.match(way, /node_modules\/@fastify\/reply-from\//)
})
