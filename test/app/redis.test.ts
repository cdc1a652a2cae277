/** The connection to Redis itself. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import pino from 'pino'
import t, { type Test } from 'tap'
import { closeRedis, connectRedis, writeTogether } from '../../src/app/redis.js'

/** As much of a Redis as answers everything with +OK, until it is told to say nothing; and what came, packet by packet. */
async function standIn(t: Test) {
  const packets: string[] = []
  const sockets = new Set<Socket>()
  let silent = false
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('data', chunk => {
      packets.push(String(chunk))
      if (silent) return
      for (const [, command] of String(chunk).matchAll(/\*\d+\r\n\$\d+\r\n(\w+)\r\n/g)) {
        socket.write(command === 'info' ? '$18\r\nredis_version:7.0\n\r\n' : '+OK\r\n')
      }
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  const lines: string[] = []
  const log = pino({}, { write: (line: string) => void lines.push(line) })
  const { port } = server.address() as AddressInfo
  const redis = await connectRedis(`redis://user:hidden@127.0.0.1:${port}`, 'a test', log)
  t.teardown(() => closeRedis(redis))
  await once(redis, 'ready')
  return {
    redis,
    packets,
    lines,
    hush() {
      silent = true
    }
  }
}

t.test('what is asked for in one turn of the event loop leaves in one packet', async t => {
  const { redis, packets } = await standIn(t)
  writeTogether(redis)
  packets.length = 0
  const keys = Array.from({ length: 20 }, (_, n) => `key-${n}`)
  const first = Promise.all(keys.map(key => redis.get(key)))
  await first
  t.equal(packets.length, 1)
  t.ok(keys.every(key => packets[0]!.includes(`${key}\r\n`)))
  t.equal(await redis.get('later'), 'OK')
  t.equal(packets.length, 2)
})

t.test('an end that has gone silent is given up, and come back to', async t => {
  const { redis, lines, hush } = await standIn(t)
  hush()
  const asked = redis.get('key')
  const closed = new Promise(resolve => redis.once('close', resolve))
  await t.rejects(asked)
  await closed
  t.match(lines.join(''), /Redis is away \(a test\)/)
  t.notMatch(lines.join(''), /hidden/)
})
