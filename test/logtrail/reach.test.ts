import { createServer as createTlsServer } from 'node:https'
import { createServer, type Socket } from 'node:net'
import t, { type Test } from 'tap'
import { reach } from '../../src/logtrail/reach.js'
import { freePort } from '../helper/free-port.js'
import { CERTIFICATE, PRIVATE_KEY } from './certificate.js'
import { listen } from './upstream.js'

const timeoutMs = 5000

function ended<S extends { close(): unknown }>(t: Test, server: S): S {
  t.teardown(() => void server.close())
  return server
}

t.test('a connection is enough, and nothing is said over it', async t => {
  let said = 0
  const server = createServer(socket => socket.on('data', ({ length }) => (said += length)))
  const port = await listen(ended(t, server))
  t.equal(await reach(`http://127.0.0.1:${port}/api`, { timeoutMs }), undefined)
  t.equal(await reach(`http://localhost:${port}`, { timeoutMs }), undefined)
  t.equal(said, 0)
})

t.test('nobody listens, no such host', async t => {
  t.equal(await reach(`http://127.0.0.1:${await freePort()}`, { timeoutMs }), 'ECONNREFUSED')
  t.equal(await reach(`https://[::1]:${await freePort()}`, { timeoutMs }), 'ECONNREFUSED')
  for (const scheme of ['https', 'http'])
    t.match(await reach(`${scheme}://no-such-host.invalid`, { timeoutMs }), /^(ENOTFOUND|EAI_AGAIN)$/)
})

t.test('a certificate that is not trusted', async t => {
  const port = await listen(ended(t, createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY })))
  t.equal(await reach(`https://localhost:${port}`, { timeoutMs }), 'DEPTH_ZERO_SELF_SIGNED_CERT')
  t.equal(await reach(`https://localhost:${port}`, { timeoutMs, ca: CERTIFICATE }), undefined)
  t.match(
    await reach(`https://127.0.0.1:${port}`, { timeoutMs, ca: CERTIFICATE }),
    'ERR_TLS_CERT_ALTNAME_INVALID',
    'of another name'
  )
})

t.test('who never greets, and who goes in the middle of it', async t => {
  const sockets: Socket[] = []
  const port = await listen(
    ended(
      t,
      createServer(socket => sockets.push(socket))
    )
  )
  t.equal(await reach(`https://localhost:${port}`, { timeoutMs: 50 }), 'TIMEOUT')
  for (const socket of sockets) socket.destroy()
  const closing = await listen(
    ended(
      t,
      createServer(socket => socket.once('data', () => socket.destroy()))
    )
  )
  t.equal(await reach(`https://localhost:${closing}`, { timeoutMs }), 'ECONNRESET')
})
