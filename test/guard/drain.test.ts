import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import t, { type Test } from 'tap'
import { createDrain } from '../../src/guard/drain.js'

async function start(t: Test) {
  const responses: ServerResponse[] = []
  const drain = createDrain<ServerResponse>()
  const server = createServer((_request, response) => {
    responses.push(response)
    const place = drain.enter(response)
    response.once('close', () => drain.leave(place))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const ask = async () => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
    await once(server, 'request')
    return socket
  }
  return { drain, responses, ask }
}

t.test('idle at once when nothing is in flight', async t => {
  const { drain } = await start(t)
  t.equal(drain.inFlight(), 0)
  await drain.idle(60_000)
})

t.test('waits for the last answer, for everybody who asked', async t => {
  const { drain, responses, ask } = await start(t)
  await ask()
  await ask()
  t.equal(drain.inFlight(), 2)
  let idle = 0
  const both = Promise.all([drain.idle(60_000).then(() => idle++), drain.idle(60_000).then(() => idle++)])
  responses[0]!.end()
  await once(responses[0]!, 'close')
  t.equal(drain.inFlight(), 1)
  t.equal(idle, 0)
  responses[1]!.end()
  await both
  t.equal(drain.inFlight(), 0)
})

t.test('a client that goes away is not waited for', async t => {
  const { drain, ask } = await start(t)
  const socket = await ask()
  const idle = drain.idle(60_000)
  socket.resetAndDestroy()
  await idle
  t.equal(drain.inFlight(), 0)
})

t.test('no longer than told', async t => {
  const { drain, ask } = await start(t)
  await ask()
  await drain.idle(20)
  t.equal(drain.inFlight(), 1)
})

t.test('each in the order of its coming, whoever leaves meanwhile', t => {
  const drain = createDrain<string>()
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(drain.enter) as [
    ReturnType<typeof drain.enter>,
    ReturnType<typeof drain.enter>,
    ReturnType<typeof drain.enter>,
    ReturnType<typeof drain.enter>
  ]
  t.same([...drain.each()], ['a', 'b', 'c', 'd'])
  drain.leave(b)
  t.same([...drain.each()], ['a', 'c', 'd'], 'from the middle')
  drain.leave(a)
  t.same([...drain.each()], ['c', 'd'], 'from the front')
  drain.leave(d)
  t.same([...drain.each()], ['c'], 'from the end')
  const seen: string[] = []
  const places = new Map([['c', c]])
  for (const name of 'efg') places.set(name, drain.enter(name))
  for (const item of drain.each()) {
    seen.push(item)
    drain.leave(places.get(item)!)
  }
  t.same(seen, ['c', 'e', 'f', 'g'], 'each may leave as it is met')
  t.equal(drain.inFlight(), 0)
  t.same([...drain.each()], [])
  t.same(
    [b, c].map(({ before, after }) => [before, after]),
    [
      [undefined, undefined],
      [undefined, undefined]
    ]
  )
  t.end()
})
