import { existsSync } from 'node:fs'
import t from 'tap'
import { faultsOf, type SoakReport, type Stretch, soak } from './soak.js'

/**
 * A minute of what `npm run bench -- soak` does for an hour: it finds what leaks a descriptor, an entry or some kilobytes with
 * each request; what leaks less takes the hour.
 */
const proc = existsSync('/proc/self/fd') ? false : '/proc is not there'
const SECONDS = 50

t.test('all kinds of requests for a while: nothing grows, and the books balance', { skip: proc }, async t => {
  const options = { seconds: SECONDS, perSecond: 40, folder: t.testdir({}) }
  const reports = await Promise.all((['queued', 'pooled'] as const).map(delivery => soak({ ...options, delivery })))
  for (const report of reports) {
    t.same(faultsOf(report), [], `${report.delivery}: ${JSON.stringify(report.stretches)}`)
    const { answers } = report
    t.ok(report.requests > SECONDS * 40 * 0.8, `${report.requests} requests`)
    for (const status of [report.delivery === 'queued' ? '202' : '201', '400', '401', '404', 'gone']) {
      t.ok(answers[status]! > SECONDS, status)
    }
    t.ok(report.books.delivered > report.requests / 2, 'and most is delivered')
  }
})

t.test('a soak that goes wrong says what', async t => {
  const stretch: Stretch = { livingMb: 30, residentMb: 100, descriptors: 50, cpuMs: 1, p50: 3, p99: 10 }
  const books = { came: 10, went: 10, waiting: 0 } as SoakReport['books']
  const well: SoakReport = {
    delivery: 'queued',
    requests: 10,
    answers: { 202: 10 },
    stretches: [stretch, stretch],
    books,
    descriptorsBefore: 20,
    descriptorsAfter: 25,
    exit: 0
  }
  t.same(faultsOf(well), [])
  const later = (more: Partial<Stretch>) => ({ ...well, stretches: [stretch, { ...stretch, ...more }] })
  t.match(faultsOf(later({ livingMb: 40 })), ['livingMb grew from 30.0 to 40.0'])
  t.match(faultsOf(later({ residentMb: 200 })), [/^residentMb/])
  t.match(faultsOf(later({ cpuMs: 3 })), [/^cpuMs/])
  t.same(faultsOf(later({ p99: 500 })), [])
  t.match(faultsOf(later({ p99: 500 }), true), [/^p99/])
  t.match(faultsOf({ ...well, descriptorsAfter: 60 }), [/^20 descriptors before, 60 after/])
  t.match(faultsOf({ ...well, books: { ...books, went: 9 } }), [/do not balance/])
  t.match(faultsOf({ ...well, books: { ...books, waiting: 3 } }), [/3 entries still wait/])
  t.match(faultsOf({ ...well, answers: { 500: 2 } }), [/2 times INTERNAL_ERROR/])
  t.match(faultsOf({ ...well, exit: 1 }), [/ended with 1/])
})
