/** What arrives of repeated headers, over a real socket: Node keeps the first Authorization and joins the cookies. */
import { once } from 'node:events'
import { createServer, type ServerOptions } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { claims, forge, HS256, honest, jwtSessions, outcome, secret } from './forge.js'

async function identified(t: Test, headers: string[], options: ServerOptions = {}): Promise<unknown> {
  const source = jwtSessions({ key: { secret } })
  const server = createServer(options, async (request, response) => {
    response.end(JSON.stringify(await outcome(source, request.headers)))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1')
  socket.write(
    `POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${headers.map(header => `${header}\r\n`).join('')}\r\n`
  )
  let answer = ''
  for await (const chunk of socket) answer += chunk
  return JSON.parse(answer.slice(answer.indexOf('\r\n\r\n') + 4))
}

const ada = honest()
const eve = forge(HS256, claims({ sub: 'eve' }))

t.test('two Authorization headers', async t => {
  const headers = [`Authorization: Bearer ${ada}`, `Authorization: Bearer ${eve}`]
  t.same(await identified(t, headers), { userId: 'ada', via: 'authorization' }, 'Node drops the second')
  t.equal(await identified(t, headers, { joinDuplicateHeaders: true }), 'SESSION_INVALID', 'unless told to keep it')
  const mixed = ['Authorization: Basic eDp5', `Authorization: Bearer ${ada}`]
  t.equal(await identified(t, mixed), null)
})

t.test('two Cookie headers', async t => {
  t.same(await identified(t, ['Cookie: a=1', `Cookie: session=${ada}`]), { userId: 'ada', via: 'cookie' })
  t.equal(await identified(t, [`Cookie: session=${ada}`, `Cookie: session=${eve}`]), 'SESSION_INVALID')
})

t.test('bytes that are no ASCII', async t => {
  t.equal(await identified(t, ['Cookie: session=\u00e9\u00e9']), 'SESSION_INVALID')
  t.equal(await identified(t, [`Authorization: Bearer ${ada}\u00e9`]), 'SESSION_INVALID')
})
