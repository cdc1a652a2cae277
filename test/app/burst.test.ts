import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import t from 'tap'
import { makeKey, startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry, sign } from '../helper/proxy.js'
import { startProgram } from '../oracle/program.js'

const MANY = 2000
const most = Number(readFileSync('/proc/sys/net/core/somaxconn', 'utf8'))

// Node.js tells the kernel to keep 511 connections that were not accepted yet. Of a burst of more, as a page's opening in many
// browsers is, the rest was dropped, and came again after 1, 3 and 7 seconds: to the browsers it looked like a timeout.
t.test(
  `${MANY} browsers connect while the event loop is busy, and all are answered`,
  { skip: most < MANY ? `net.core.somaxconn is ${most} here` : false },
  async t => {
    const key = makeKey()
    const logtrail = await startLogtrail({ keys: [key], plan: 'professional' })
    t.teardown(() => logtrail.close())
    const env = { DELIVERY: 'pooled', LOGTRAIL_API_KEY: key, LOGTRAIL_URL: logtrail.url }
    const program = await startProgram(env, t.testdir({}))
    t.teardown(() => program.kill())
    const { hostname, port } = new URL(program.url)
    program.child.process.kill('SIGSTOP')
    const sockets = Array.from({ length: MANY }, () => connect(Number(port), hostname))
    t.teardown(() => {
      for (const socket of sockets) socket.destroy()
    })
    await Promise.all(sockets.map(socket => once(socket, 'connect')))
    t.pass('the kernel holds them all')

    const answers = sockets.map(statusOf)
    const cookie = `session=${sign()}`
    const body = JSON.stringify(entry())
    const head = [
      'POST /logtrail/logs HTTP/1.1',
      `Host: ${hostname}:${port}`,
      'Content-Type: application/json',
      'Sec-Fetch-Site: same-origin',
      `Cookie: ${cookie}`,
      `Content-Length: ${body.length}`
    ]
    for (const socket of sockets) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
    program.child.process.kill('SIGCONT')
    const statuses = new Map<string, number>()
    for (const status of await Promise.all(answers)) statuses.set(status, (statuses.get(status) ?? 0) + 1)
    t.strictSame([...statuses], [['201', MANY]])
    t.equal(logtrail.stats.entries, MANY)
    t.ok(logtrail.stats.requests < MANY / 10, `in ${logtrail.stats.requests} requests`)
  }
)

function statusOf(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', data => resolve(data.toString('latin1', 9, 12)))
    socket.once('error', reject)
    socket.once('close', () => resolve('none'))
  })
}
