import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { createHttpGet } from '../../src/session/http-get.js'
import { CERTIFICATE, PRIVATE_KEY } from '../logtrail/certificate.js'

const limits = { timeoutMs: 2_000, maxBytes: 1_000, connections: 1 }

t.test('nobody there', async t => {
  const { get, close } = createHttpGet(limits)
  t.teardown(close)
  await t.rejects(get(new URL('http://127.0.0.1:9/secret-path?token=1'), {}), { message: 'no answer (ECONNREFUSED)' })
})

t.test('a certificate nobody vouches for is refused, before anything is sent, whatever Node.js is told', async t => {
  let asked = 0
  const server = createServer({ key: PRIVATE_KEY, cert: CERTIFICATE }, (_, response) => {
    asked++
    response.end('hello')
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/`)
  const strict = createHttpGet(limits)
  const trusting = createHttpGet({ ...limits, ca: CERTIFICATE })
  t.intercept(process, 'env', { value: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0' } })
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
  other.hostname = '127.0.0.1'
  await t.rejects(trusting.get(other, {}), { message: /^no answer \(/ }, 'another name than the certificate’s')
  t.equal(asked, 1)
})
