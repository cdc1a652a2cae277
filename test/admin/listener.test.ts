import fastify from 'fastify'
import t from 'tap'
import { createAdminListener } from '../../src/admin/listener.js'
import { createLogger } from '../../src/admin/logger.js'
import { createMetrics } from '../../src/admin/metrics.js'
import type { Phase } from '../../src/admin/readiness.js'
import { entry, startProxy } from '../helper/proxy.js'
import { READINGS } from './scrape.js'

t.test('health, readiness, metrics and status, for reading alone', async t => {
  const proxy = await startProxy(t)
  t.match(await proxy.get('/healthz'), { status: 200, body: { status: 'ok' } })
  const ready = await proxy.get('/readyz')
  t.match(ready, { status: 200, body: { status: 'ok', checks: { key: { ok: true }, session: { ok: true } } } })
  t.match(await proxy.get('/status'), { status: 200, body: { version: String, phase: 'serving' } })
  for (const path of ['/healthz', '/readyz', '/metrics', '/status']) {
    const { headers } = await proxy.get(path)
    t.equal(headers.get('cache-control'), 'no-store', path)
    t.equal(headers.get('x-content-type-options'), 'nosniff', path)
    for (const method of ['POST', 'PUT', 'DELETE']) {
      t.match((await fetch(proxy.admin + path, { method })).status, /^40[45]$/, `${method} ${path}`)
    }
  }
  t.equal((await proxy.get('/logs')).status, 404)
  t.equal((await proxy.get('/nowhere')).status, 404)
  const public_ = await fetch(`${proxy.url}/metrics`)
  t.equal(public_.status, 404, 'and none of it on the public listener')
  for (const path of ['/healthz', '/readyz', '/status', '/logtrail/metrics', '/logtrail/healthz']) {
    t.equal((await fetch(proxy.url + path)).status, 404, path)
  }
})

t.test('a refused key is told, and does not take the app down', async t => {
  const proxy = await startProxy(t)
  proxy.logtrail.revokeKey(proxy.logtrail.key)
  await proxy.post(entry())
  t.match(await proxy.get('/readyz'), {
    status: 200,
    body: { status: 'degraded', checks: { key: { ok: false, message: String }, session: { ok: true } } }
  })
  t.match((await proxy.get('/metrics')).text, /logtrail_bff_degraded\{check="key"\} 1/)
  proxy.logtrail.addKey(proxy.logtrail.key)
  t.equal((await proxy.post(entry())).status, 201)
  t.match(await proxy.get('/readyz'), { status: 200, body: { status: 'ok' } })
})

t.test('a session source that is down is told, and does not take the app down', async t => {
  const proxy = await startProxy(t, {
    env: {
      SESSION_JWT_SECRET: '',
      SESSION_JWKS_URL: 'http://127.0.0.1:9/keys',
      SESSION_JWT_ISSUER: 'https://login.example',
      SESSION_JWT_AUDIENCE: 'app'
    }
  })
  let answer = await proxy.get('/readyz')
  while (answer.body.status === 'ok') answer = await proxy.get('/readyz')
  t.match(answer, { status: 200, body: { status: 'degraded', checks: { session: { ok: false, message: String } } } })
})

t.test('503 while it starts and stops', async t => {
  let phase: Phase = 'starting'
  const app = await createAdminListener({
    metrics: createMetrics(READINGS),
    readiness: { phase: () => phase, checks: {}, writable: () => true },
    report: {},
    history: { tick: () => 0 },
    log: createLogger({ level: 'silent', secrets: [] })
  } as never)
  t.teardown(() => app.close())
  const ask = async () => {
    const { statusCode, body } = await app.inject('/readyz')
    return { statusCode, ...JSON.parse(body) }
  }
  t.match(await ask(), { statusCode: 503, status: 'starting' })
  t.equal((await app.inject('/healthz')).statusCode, 200)
  phase = 'serving'
  t.match(await ask(), { statusCode: 200, status: 'ok' })
  phase = 'stopping'
  t.match(await ask(), { statusCode: 503, status: 'stopping' })
})

t.test('ADMIN_PORT=0: there is none', async t => {
  const proxy = await startProxy(t, { env: { ADMIN_PORT: '0' } })
  t.equal(proxy.server.adminUrl, undefined)
  t.equal((await proxy.post(entry())).status, 201)
})

t.test('a port that is taken stops the start, and leaves nothing behind', async t => {
  const other = fastify()
  t.teardown(() => other.close())
  const { port } = new URL(await other.listen({ port: 0, host: '127.0.0.1' }))
  await t.rejects(startProxy(t, { env: { ADMIN_PORT: port } }), { code: 'EADDRINUSE' })
  await t.rejects(startProxy(t, { env: { PORT: port } }), { code: 'EADDRINUSE' })
})
