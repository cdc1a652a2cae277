import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createHttpGet } from '../../src/session/http-get.js'
import { opensslMissing, selfSigned } from './certificate.js'
import { rsa } from './forge.js'

const limits = { timeoutMs: 2_000, maxBytes: 1_000, connections: 1 }

t.test('nobody there', async t => {
  const { get, close } = createHttpGet(limits)
  t.teardown(close)
  await t.rejects(get(new URL('http://127.0.0.1:9/secret-path?token=1'), {}), { message: 'no answer (ECONNREFUSED)' })
})

t.test('a certificate nobody vouches for is refused, before anything is sent', { skip: opensslMissing }, async t => {
  const key = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const cert = selfSigned(rsa.privateKey)
  let asked = 0
  const server = createServer({ key, cert }, (_, response) => {
    asked++
    response.end('hello')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`)
  const strict = createHttpGet(limits)
  const trusting = createHttpGet({ ...limits, ca: cert })
  t.teardown(() => {
    strict.close()
    trusting.close()
    server.closeAllConnections()
    server.close()
  })
  await t.rejects(strict.get(url, {}), { message: /^no answer \((DEPTH_ZERO_)?SELF_SIGNED_CERT/ })
  t.equal(asked, 0)
  t.match(await trusting.get(url, {}), { status: 200, body: 'hello' })
  const other = new URL(url)
  other.hostname = '127.0.0.2'
  await t.rejects(trusting.get(other, {}), { message: /^no answer \(/ }, 'another name than the certificate’s')
  t.equal(asked, 1)
})
