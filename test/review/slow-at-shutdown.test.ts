import { connect } from 'node:net'
import { setTimeout } from 'node:timers/promises'
import t from 'tap'
import { entry, sign, startProxy } from '../helper/proxy.js'

// "SHUTDOWN_TIMEOUT: drain on SIGTERM and SIGINT, then 503 to whoever still waits": pooled and queued delivery ended at
// once, so that a request whose body was still coming was refused with most of the time left.
for (const [DELIVERY, status] of [
  ['direct', 201],
  ['pooled', 201],
  ['queued', 202]
]) {
  t.test(`${DELIVERY}: a request whose body is still coming when the end begins is taken`, async t => {
    const env = { DELIVERY: String(DELIVERY), QUEUE_PATH: t.testdir(), SHUTDOWN_TIMEOUT: '8s' }
    const program = await startProxy(t, { env })
    const body = JSON.stringify(entry())
    const head = [
      'POST /logtrail/logs HTTP/1.1',
      'Host: a',
      'Content-Type: application/json',
      'Sec-Fetch-Site: same-origin',
      `Cookie: session=${sign()}`,
      `Content-Length: ${body.length}`,
      '',
      ''
    ].join('\r\n')
    const { port, hostname } = new URL(program.url)
    const socket = connect(Number(port), hostname, () => socket.write(head + body.slice(0, 10)))
    let received = ''
    socket.on('data', chunk => {
      received += chunk
    })
    const over = new Promise(resolve => socket.on('close', resolve))
    while (!/"inFlight":1\b/.test((await program.get('/status')).text)) await setTimeout(5)
    const closed = program.server.close()
    // long enough for delivery to have ended if it were told to
    await setTimeout(300)
    socket.write(body.slice(10))
    await over
    await closed
    t.equal(Number(received.split(' ', 2)[1]), status)
    if (DELIVERY === 'queued' && program.logtrail.entries().length === 0) {
      // stored, and not sent before the end came: the next run sends it
      const { key, url } = program.logtrail
      await startProxy(t, { env: { ...env, LOGTRAIL_API_KEY: key, LOGTRAIL_URL: url } })
      await program.logtrail.waitFor(({ entries }) => entries().length > 0)
    }
    t.equal(program.logtrail.entries().length, 1)
  })
}
