import { once } from 'node:events'
import { connect } from 'node:net'
import t from 'tap'
import { heapLimit } from '../../src/guard/overload.js'
import { createRoom } from '../../src/guard/room.js'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

const KB = 1024
const full = { code: 'SERVER_OVERLOADED', statusCode: 503, retryAfter: 2 }
const told = (bytes: number) => ({ 'content-length': String(bytes) })

t.test('what is under way may take an eighth of the heap', async t => {
  let fulls = 0
  const room = createRoom(256 * KB, () => fulls++)
  let taken = 0
  const fill = (): void => {
    for (;;) taken += room.take(told(200 * KB))
  }
  t.throws(fill, full)
  t.ok(taken <= heapLimit() / 8 && taken > heapLimit() / 8 - 200 * KB)
  t.throws(() => room.take(told(200 * KB)), full)
  t.equal(fulls, 2)
  room.give(200 * KB)
  t.equal(room.take(told(200 * KB)), 200 * KB)
})

t.test('a body takes what it says, or all that it may have', async t => {
  const room = createRoom(256 * KB, () => {})
  t.equal(room.take(told(10)), 10)
  t.equal(room.take({ 'transfer-encoding': 'chunked' }), 256 * KB, 'whose length nobody knows')
  t.equal(room.take(told(1e15)), 256 * KB, 'one too long is not read')
})

t.test('there is room for one body, however long it may be', async t => {
  const limit = Math.ceil(heapLimit())
  const room = createRoom(limit, () => {})
  t.equal(room.take({}), limit)
  t.throws(() => room.take(told(1)), full)
})

const BODY = JSON.stringify(entry())
/** Of a length that is not told: it may take all of BODY_LIMIT. */
const HEAD = (session = sign()) =>
  `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nCookie: session=${session}\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n`
const CHUNKED = `${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`

t.test('the listener keeps to it, says so, and gives the room back', async t => {
  const limit = 64 * KB * KB
  const proxy = await startProxy(t, { env: { BODY_LIMIT: String(limit), RATE_LIMIT_MAX: '0' } })
  const { hostname, port } = new URL(proxy.url)
  const holding = await Promise.all(
    Array.from({ length: Math.max(1, Math.floor(heapLimit() / 8 / limit)) }, async () => {
      const socket = connect(Number(port), hostname)
      t.teardown(() => void socket.destroy())
      await once(socket, 'connect')
      await new Promise(resolve => socket.write(`${HEAD()}1\r\n{\r\n`, resolve))
      return socket
    })
  )
  while ((await proxy.get('/status')).body.inFlight < holding.length);
  const refused = await raw(proxy.url, HEAD() + CHUNKED)
  t.same(statuses(refused), [503])
  t.match(refused, /\r\nretry-after: 2\r\n/i)
  t.match(refused, '"error_code":"SERVER_OVERLOADED"')
  t.same(statuses(await raw(proxy.url, HEAD('nobody') + CHUNKED)), [401], 'who may not send is told so')
  t.match(
    proxy.lines.filter(line => line.includes('overloaded')),
    [/"short":"memory"/]
  )
  holding[0]!.resetAndDestroy()
  while ((await proxy.get('/status')).body.inFlight >= holding.length);
  t.same(statuses(await raw(proxy.url, HEAD() + CHUNKED)), [201])
})
