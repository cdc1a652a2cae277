import t from 'tap'
import { judgeProxyTrust } from '../../src/commands/doctor/running.js'
import { entry, startProxy } from '../helper/proxy.js'
import { checks, type Env } from './doctor.js'

t.test('proxy trust, asked of the running proxy', async t => {
  const proxy = await startProxy(t)
  const env = {
    LOGTRAIL_URL: proxy.logtrail.url,
    LOGTRAIL_API_KEY: proxy.logtrail.key,
    ADMIN_PORT: new URL(proxy.admin).port
  }
  const trust = async (more: Env = {}) => (await checks({ ...env, ...more })).named['proxy trust']
  t.match(await trust(), { status: 'warning', message: /too few requests lately/ })
  for (let i = 0; i < 12; i++) await proxy.post(entry(), { user: i % 2 ? 'ada' : 'bob' })
  t.match(await trust(), {
    status: 'warning',
    message: /requests of several users come from one address/,
    change: /TRUST_PROXY/
  })
  await proxy.post(entry(), { headers: { 'x-forwarded-for': '192.0.2.7' } })
  t.match(await trust(), {
    status: 'warning',
    message: /does not name: all users look like one/,
    change: /TRUST_PROXY/
  })
  t.match(await trust({ ADMIN_PORT: '1' }), { status: 'warning', message: /no running proxy answers/ })

  const behind = await startProxy(t, { env: { TRUST_PROXY: 'loopback' } })
  for (let i = 0; i < 12; i++) await behind.post(entry(), { headers: { 'x-forwarded-for': `192.0.2.${i}` } })
  const named = (await checks({ ...env, TRUST_PROXY: 'loopback', ADMIN_PORT: new URL(behind.admin).port })).named
  t.match(named['proxy trust'], { status: 'ok', message: /different addresses, as TRUST_PROXY says/ })
})

t.test('the plan is held against what Logtrail has told the running proxy', async t => {
  const proxy = await startProxy(t, { logtrail: { plan: 'developer' }, env: { DELIVERY: 'pooled' } })
  t.equal((await proxy.post(entry())).status, 201)
  const env = {
    LOGTRAIL_URL: proxy.logtrail.url,
    LOGTRAIL_API_KEY: proxy.logtrail.key,
    ADMIN_PORT: new URL(proxy.admin).port
  }
  const { named } = await checks({ ...env, LOGTRAIL_PLAN: 'developer', LOGTRAIL_REQUESTS_PER_MINUTE: '50' })
  t.match(named.plan, { status: 'warning', message: /^Logtrail allows \d+ requests a minute, .* is 50: the rest/ })
})

t.test('what its figures mean', async t => {
  const status = (clients: object) =>
    ({ clients: { requests: 50, addresses: 'one', users: 'one', untrustedForwarding: false, ...clients } }) as never
  t.match(judgeProxyTrust(status({}), [], 9790).message, /^all recent requests come from one address/)
  t.match(judgeProxyTrust(status({ users: 'several' }), [], 9790).message, /^all recent requests of several users come/)
  t.match(judgeProxyTrust(status({ addresses: 'several' }), [], 9790).message, /come from different addresses$/)
})
