/**
 * Bodies in many small pieces. Node.js makes a Buffer with memory of its own for each piece: while all were kept, a body in
 * chunks of one byte took 400 bytes for each, and eight requests of 1.5 MB ended a process with a heap of 256 MB.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { Body } from '../../src/guard/body.js'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { open, raw, statuses, untilClosed } from '../helper/raw.js'
import { startPressed } from './pressed.js'

const LIMIT = 10_000

/** What became of a body that is sent as these pieces; `sent` is told what was taken of it. */
async function bodyOf(t: Test, framing: string, pieces: string[], take: (bytes: number) => void = () => {}) {
  const server = createServer()
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const socket = open(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  socket.on('error', () => {})
  socket.write(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n`)
  const [request] = (await once(server, 'request')) as [IncomingMessage]
  const body = new Body(request, LIMIT, take)
  const whole = () =>
    new Promise<Buffer>((resolve, reject) => body.whole((fault, bytes) => (fault ? reject(fault) : resolve(bytes!))))
  const send = async () => {
    for (const piece of pieces) await new Promise(resolve => socket.write(piece, resolve))
  }
  return { body, whole, send, socket, request }
}

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`

t.test('it is whole, however it comes', async t => {
  const text = 'abcdefghij'.repeat(999)
  for (const size of [1, 7, 1000, 5000, 9990]) {
    const parts = text.match(new RegExp(`.{1,${size}}`, 'g'))!
    const taken: number[] = []
    const chunked = await bodyOf(t, 'Transfer-Encoding: chunked', [...parts.map(chunk), '0\r\n\r\n'], n =>
      taken.push(n)
    )
    const later = chunked.whole()
    await chunked.send()
    t.equal(String(await later), text, `chunks of ${size}`)
    t.equal(
      taken.reduce((sum, n) => sum + n, 0),
      text.length
    )
    const told = await bodyOf(t, `Content-Length: ${text.length}`, parts)
    await told.send()
    await once(told.request, 'end')
    t.equal(String(await told.whole()), text, `and where it is there before it is asked for`)
  }
  const none = await bodyOf(t, 'Content-Length: 0', [])
  t.equal(String(await none.whole()), '')
})

t.test('too long: told before it is read, or while it comes', async t => {
  const told = await bodyOf(t, `Content-Length: ${LIMIT + 1}`, [])
  await t.rejects(told.whole(), { code: 'BODY_TOO_LARGE' })
  const comes = await bodyOf(t, 'Transfer-Encoding: chunked', [chunk('x'.repeat(LIMIT)), chunk('x'), chunk('more')])
  const later = t.rejects(comes.whole(), { code: 'BODY_TOO_LARGE' })
  await comes.send()
  await later
})

t.test('what there is no place for, what breaks off, and what nobody wants any more', async t => {
  const refused = await bodyOf(t, 'Content-Length: 10', ['01234', '56789'], bytes => {
    if (bytes > 0) throw new Error('full')
  })
  await refused.send()
  await t.rejects(refused.whole(), { message: 'full' })
  const broken = await bodyOf(t, 'Content-Length: 10', ['01234'])
  await broken.send()
  const told = t.rejects(broken.whole(), { code: 'BAD_REQUEST', cause: { code: 'ECONNRESET' } })
  broken.socket.destroy()
  await told
  let taken = 0
  const over = await bodyOf(t, 'Content-Length: 10', ['0123456789'], bytes => {
    taken += bytes
  })
  over.body.stop()
  await over.send()
  await once(over.request, 'end')
  t.equal(taken, 0)
})

const head = (session?: string) =>
  [
    'POST /logtrail/logs HTTP/1.1',
    'Host: a',
    'Content-Type: application/json',
    'Sec-Fetch-Site: same-origin',
    ...(session === undefined ? [] : [`Cookie: session=${session}`]),
    'Transfer-Encoding: chunked',
    '',
    ''
  ].join('\r\n')

/** So many spaces, each in a chunk of its own, over as many connections; the status that each is answered. */
async function drip(url: string, connections: number, bytes: number, session: (n: number) => string | undefined) {
  return Promise.all(
    Array.from({ length: connections }, async (_, n) => {
      const socket = open(url)
      const received = untilClosed(socket)
      socket.write(head(session(n)) + chunk(' ').repeat(bytes))
      socket.end('0\r\n\r\n')
      return statuses(await received)[0] as number
    })
  )
}

/** The status of a request, once there is room for it again. */
async function afterwards(send: (method: string) => Promise<Response>): Promise<number> {
  let status = 503
  while (status === 503) ({ status } = await send('POST'))
  return status
}

t.test('byte by byte it takes no more memory than whole', async t => {
  const limit = 128 * 1024
  const { url, send } = await startPressed(t, 100, { ANONYMOUS: 'allow', BODY_LIMIT: String(limit) })
  const found = await drip(url, 6, limit - 100, () => undefined)
  for (const each of found) t.ok([400, 503].includes(each), `answered ${each}`)
  t.equal(await afterwards(send), 201)
})

t.test('while its session is asked for, too', async t => {
  const limit = 100 * 1024
  const app = createServer((_request, response) => void setTimeout(() => response.writeHead(401).end(), 1500))
  app.listen(0, '127.0.0.1')
  await once(app, 'listening')
  t.teardown(() => app.close())
  const { url, send } = await startPressed(t, 100, {
    SESSION_MODE: 'forward-auth',
    SESSION_JWT_SECRET: '',
    SESSION_AUTH_URL: `http://127.0.0.1:${(app.address() as AddressInfo).port}/`,
    ANONYMOUS: 'allow',
    BODY_LIMIT: String(limit)
  })
  const found = await drip(url, 20, limit - 100, n => `made-up-${n}`)
  for (const each of found) t.ok([401, 503].includes(each), `answered ${each}`)
  t.equal(await afterwards(send), 401)
})

t.test('the listener says that there is no room, also in the middle of a body, and goes on', async t => {
  const megabyte = 1024 * 1024
  const { url, said, send } = await startPressed(t, 100, { BODY_LIMIT: String(4 * megabyte) })
  const holding = Array.from({ length: 6 }, (_, n) => {
    const socket = open(url)
    const received = untilClosed(socket)
    socket.write(head(sign({ sub: `user ${n}` })) + chunk(' '.repeat(3 * megabyte)))
    return { socket, received }
  })
  const [first] = await Promise.race(holding.map(async ({ received }) => statuses(await received)).concat(answered()))
  t.equal(first, 503)
  while (!said().includes('"short":"memory"')) await new Promise(resolve => setTimeout(resolve, 20))
  for (const { socket } of holding) socket.destroy()
  t.equal(await afterwards(send), 201)

  /** The first answer that one of them gets, though its body is still coming. */
  function answered(): Promise<number[]> {
    return Promise.race(
      holding.map(({ socket }) => once(socket, 'data').then(([bytes]) => statuses(bytes.toString('latin1'))))
    )
  }
})

t.test('who may not send is told so, and the rest of the body is no part of the room', async t => {
  const proxy = await startProxy(t)
  t.same(statuses(await raw(proxy.url, `${head('nobody')}${chunk('{}')}0\r\n\r\n`)), [401])
  t.equal((await proxy.post(entry())).status, 201)
})
