import t from 'tap'
import { type Dispatcher, Pool } from 'undici'
import { entry, startProxy } from '../helper/proxy.js'

/**
 * Direct delivery goes by @fastify/http-proxy. What it then does for itself could as well be done without: were the plugin
 * gone round, nothing else would say so. So each request that leaves is asked where it comes from.
 */
t.test('direct delivery is @fastify/http-proxy', async t => {
  const ways: string[] = []
  const { dispatch } = Pool.prototype
  const { stackTraceLimit } = Error
  t.teardown(() => {
    Pool.prototype.dispatch = dispatch
    Error.stackTraceLimit = stackTraceLimit
  })
  Error.stackTraceLimit = 100
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
  for (const way of ways) {
    t.match(way, /node_modules\/@fastify\/http-proxy\//, "from the plugin's route")
    t.match(way, /node_modules\/@fastify\/reply-from\//, 'by its reply.from')
  }
})
