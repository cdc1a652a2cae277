import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import t from 'tap'
import { cutStalled } from '../../src/guard/stalled.js'
import { open } from '../helper/raw.js'

const PIECES = 2000
const PIECE = 16 * 1024

t.test('a client that reads nothing is cut; one that reads, or has nothing to read, is not', async t => {
  let asked = 0
  const server = createServer((request, response) => {
    asked++
    if (request.url === '/large') Readable.from(Array(PIECES).fill(Buffer.alloc(PIECE))).pipe(response)
  })
  cutStalled(server, 500)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const ask = (path: string) => {
    const socket = open(url)
    socket.on('error', () => {})
    socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`)
    return socket
  }
  const waiting = ask('/never-answered')
  const reading = ask('/large')
  let read = 0
  reading.on('data', ({ length }) => {
    read += length
  })
  // without a listener nothing of it is read
  const stalled = ask('/large')
  while (asked < 3) await once(server, 'request')
  const connections = () => new Promise<number>(resolve => server.getConnections((_, count) => resolve(count)))
  while ((await connections()) > 2 || read < PIECES * PIECE) await new Promise(resolve => setTimeout(resolve, 20))
  t.notOk(waiting.destroyed || reading.destroyed)
  t.ok(read >= PIECES * PIECE, 'the answer is whole')
  for (const each of [waiting, reading, stalled]) each.destroy()
})
