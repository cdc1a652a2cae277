import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:tls'
import t from 'tap'
import { openRedisDeadLetters } from '../../src/outbox/redis/open-dead-letters.js'
import { entry, startProxy } from '../helper/proxy.js'
import { CERTIFICATE, PRIVATE_KEY } from '../logtrail/certificate.js'
import { checks, standIn } from '../main/doctor.js'

/**
 * Whoever stands between this program and its Redis reads sessions and entries, unless the certificate is verified; and
 * NODE_TLS_REJECT_UNAUTHORIZED=0 turns that off for every connection that does not ask for it.
 */
t.test('a certificate of Redis that nobody vouches for is refused, whatever the environment says', async t => {
  process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'
  t.teardown(() => {
    delete process.env.NODE_TLS_REJECT_UNAUTHORIZED
  })
  let heard = ''
  const server = createServer({ key: PRIVATE_KEY, cert: CERTIFICATE }, socket => {
    socket
      .on('error', () => {})
      .on('data', chunk => {
        heard += chunk
      })
  })
  server.on('tlsClientError', () => {})
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const url = `rediss://app:a-word-that-passes@localhost:${(server.address() as AddressInfo).port}`

  const proxy = await startProxy(t, { env: { REDIS_URL: url } })
  t.equal((await proxy.post(entry())).status, 201, 'it serves without Redis')
  t.match(
    proxy.lines.filter(line => line.includes('Redis is away')),
    [/DEPTH_ZERO_SELF_SIGNED_CERT/]
  )
  const { env } = await standIn(t)
  t.match((await checks({ ...env, REDIS_URL: url })).named.redis, {
    status: 'failed',
    message: /DEPTH_ZERO_SELF_SIGNED_CERT/
  })
  await t.rejects(openRedisDeadLetters(url), {
    message: 'Redis cannot be used (DEPTH_ZERO_SELF_SIGNED_CERT): see REDIS_URL'
  })
  t.equal(heard, '', 'nothing was said to it')
})
