import t from 'tap'
import { degradedChecks, type Phase, readiness } from '../../src/admin/readiness.js'

const source = (phase: Phase, oks: Record<string, boolean>, writable = true) => ({
  phase: () => phase,
  checks: Object.fromEntries(
    Object.entries(oks).map(([name, ok]) => [name, () => ({ ok, message: ok ? 'well' : 'not well' })])
  ),
  writable: () => writable
})

t.test('503 only while starting, stopping, or when a queue cannot be written', async t => {
  const cases: [Phase, Record<string, boolean>, boolean, boolean, string][] = [
    ['serving', { key: true, session: true }, true, true, 'ok'],
    ['serving', { key: false, session: true }, true, true, 'degraded'],
    ['serving', { key: false, session: false, upstream: false, redis: false }, true, true, 'degraded'],
    ['serving', { key: true, queue: false }, false, false, 'failed'],
    ['starting', { key: true }, true, false, 'starting'],
    ['stopping', { key: true }, true, false, 'stopping'],
    ['stopping', { key: true }, false, false, 'stopping'],
    ['serving', {}, true, true, 'ok']
  ]
  for (const [phase, oks, writable, ready, status] of cases) {
    const given = readiness(source(phase, oks, writable))
    t.equal(given.ready, ready)
    t.equal(given.body.status, status)
    for (const [name, ok] of Object.entries(oks)) t.equal(given.body.checks[name]!.ok, ok)
  }
})

t.test('what fails, for the metric', async t => {
  t.same(degradedChecks(source('serving', { key: false, session: true })), { key: true, session: false })
})
