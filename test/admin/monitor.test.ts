import t from 'tap'
import { createMonitor } from '../../src/admin/monitor.js'
import type { CheckResult } from '../../src/admin/readiness.js'

const later = <T>() => {
  let resolve!: (value: T) => void
  let reject!: (error: Error) => void
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
const settled = () => new Promise(resolve => setImmediate(resolve))

t.test('answers from what is known, and asks in the background', async t => {
  const answer = later<CheckResult>()
  const monitor = createMonitor({ session: () => answer.promise })
  t.teardown(() => monitor.stop())
  t.same(monitor.last('session'), { ok: true, message: 'not asked yet' })
  answer.resolve({ ok: false, message: 'down' })
  await settled()
  t.same(monitor.last('session'), { ok: false, message: 'down' })
  t.same(monitor.last('unknown'), { ok: true, message: 'not asked yet' })
})

t.test('a check that fails by itself is not well, and says nothing of the inside', async t => {
  const monitor = createMonitor({ session: () => Promise.reject(new Error('redis://user:secret@host')) })
  t.teardown(() => monitor.stop())
  await settled()
  t.same(monitor.last('session'), { ok: false, message: 'the check itself failed' })
})

t.test('asks again and again, but never twice at once', async t => {
  const asked: ReturnType<typeof later<CheckResult>>[] = []
  let onAsk = () => {}
  const monitor = createMonitor(
    {
      slow() {
        const answer = later<CheckResult>()
        asked.push(answer)
        onAsk()
        return answer.promise
      }
    },
    5
  )
  // the monitor's own timer does not keep a process alive
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => {
    monitor.stop()
    clearInterval(alive)
  })
  await new Promise(resolve => setTimeout(resolve, 30))
  t.equal(asked.length, 1, 'not while one is under way')
  const again = new Promise<void>(resolve => {
    onAsk = resolve
  })
  asked[0]!.resolve({ ok: true, message: 'first' })
  await again
  asked[1]!.resolve({ ok: true, message: 'second' })
  await settled()
  t.equal(monitor.last('slow').message, 'second')
})

t.test('stops, and may be stopped twice', async t => {
  let asked = 0
  const monitor = createMonitor({ quick: async () => ({ ok: true, message: `${++asked}` }) }, 1)
  monitor.stop()
  monitor.stop()
  const before = asked
  await new Promise(resolve => setTimeout(resolve, 10))
  t.equal(asked, before)
})
