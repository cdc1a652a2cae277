import t from 'tap'
import { BASE } from '../config/given.js'
import { freePort } from '../helper/free-port.js'
import { startChild } from './child.js'
import { heldQueue } from './held-queue.js'

// A signal during the start ended the process by the signal, and the probes were not answered before it was over.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  t.test(`${signal} during the start ends it well`, async t => {
    const queue = await heldQueue(t)
    const adminPort = await freePort()
    const ports = { PORT: '0', ADMIN_PORT: String(adminPort) }
    const env = { ...BASE, ...ports, DELIVERY: 'queued', QUEUE_PATH: queue.path, SHUTDOWN_TIMEOUT: '1m' }
    const child = startChild('src/main.ts', [], env, t.testdir({}))
    t.teardown(() => void child.process.kill('SIGKILL'))
    await queue.begun()
    const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
    t.match([ready.status, await ready.json()], [503, { status: 'starting' }])
    child.process.kill(signal)
    await child.said('"closing"')
    await queue.letGo()
    t.strictSame(await child.ended, { status: 0, signal: null })
    t.match(child.out(), /"msg":"closed"/)
    t.equal(child.err(), '')
    t.equal(await queue.entries(), 1)
  })
}

t.test('a second signal during the start ends it at once', async t => {
  const child = startChild('test/main/program.ts', ['never starts'], BASE, t.testdir({}))
  t.teardown(() => void child.process.kill('SIGKILL'))
  await child.said('"starting"')
  child.process.kill('SIGTERM')
  await child.said('the server closes')
  child.process.kill('SIGINT')
  t.strictSame(await child.ended, { status: 1, signal: null })
  t.match(child.out(), /"signal":"SIGINT","msg":"a second signal: ending at once"/)
})
