import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { Readable } from 'node:stream'
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { cutStalled } from '../../src/guard/stalled.js'
import { open } from '../helper/raw.js'

const PIECE = Buffer.alloc(16 * 1024)

t.test('a client that reads nothing is cut; one that reads, or has nothing to read, is not', async t => {
  const server = createServer((request, response) => {
    if (request.url === '/large') Readable.from(Array(2000).fill(PIECE)).pipe(response)
  })
  // each look is asked for below, so that nothing hangs on how fast this machine is
  let look = () => {}
  const intercepted = t.intercept(globalThis, 'setInterval', {
    value: (each: () => void) => {
      look = each
      return { unref: () => {} }
    }
  })
  cutStalled(server, 500)
  intercepted.restore()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  /** A client that reads nothing until it is told to, and the other end of its connection. */
  const ask = async (path: string) => {
    const client = open(url)
    t.teardown(() => client.destroy())
    const [connection] = (await once(server, 'connection')) as [Socket]
    const requested = once(server, 'request')
    client.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    await requested
    return { client, connection }
  }
  const full = async ({ connection }: { connection: Socket }) => {
    while (!connection.writableNeedDrain) await setImmediate()
  }

  const waiting = await ask('/never-answered')
  const reading = await ask('/large')
  await full(reading)
  look()
  // it takes one piece, of the many that wait
  const before = reading.connection.bytesWritten
  while (reading.connection.bytesWritten === before) {
    reading.client.read()
    await setImmediate()
  }
  await full(reading)
  look()
  const stalled = await ask('/large')
  await full(stalled)
  reading.client.resume()
  while (reading.connection.writableLength > 0) await setImmediate()
  look()
  t.notOk(stalled.connection.destroyed, 'not at the first look')
  look()
  t.ok(stalled.connection.destroyed, 'it has taken nothing since')
  look()
  t.notOk(waiting.connection.destroyed || reading.connection.destroyed, 'the others go on')
})
