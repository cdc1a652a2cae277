import type { Logger } from 'pino'
import t from 'tap'
import { createLogger } from '../../src/admin/logger.js'
import { createRequestLog, type RequestLine } from '../../src/admin/request-log.js'
import type { SamplingOptions } from '../../src/admin/sampling.js'
import { entry, startProxy } from '../helper/proxy.js'

const line: RequestLine = { request_id: 'r', route: '/logs', method: 'POST', status: 201, duration_ms: 1 }

function start(level = 'info', options: SamplingOptions = {}) {
  const lines: { sampled?: number }[] = []
  const log: Logger = createLogger({
    level,
    secrets: [],
    destination: { write: text => void lines.push(JSON.parse(text)) }
  })
  const logRequest = createRequestLog(log, options)
  return { lines, write: (line: RequestLine) => logRequest(() => line) }
}

t.test('a line for each request, by default fifty a second, then one of a hundred', async t => {
  const { lines, write } = start('info', { now: () => 1000 })
  for (let n = 0; n < 50; n++) write(line)
  t.equal(lines.length, 50)
  t.match(lines[0], { ...line, level: 'info', msg: 'request' })
  for (let n = 0; n < 99; n++) write(line)
  t.equal(lines.length, 50)
  write(line)
  t.equal(lines.length, 51)
  t.equal(lines[50]!.sampled, 100)
  for (let n = 0; n < 10_000; n++) write(line)
  t.equal(lines.length, 151)
})

t.test('every request is in some line: as many as the lines stand for', async t => {
  let now = 0
  const { lines, write } = start('info', { linesPerSecond: 3, sampleEvery: 10, now: () => now })
  let requests = 0
  for (let n = 0; n < 500; n++) {
    now += 7
    write(line)
    requests++
  }
  now += 1000
  write(line)
  requests++
  t.equal(
    lines.reduce((sum, { sampled = 1 }) => sum + sampled, 0),
    requests
  )
  t.ok(lines.length < 100)
})

t.test('the next second is written whole again', async t => {
  let now = 0
  const { lines, write } = start('info', { linesPerSecond: 2, sampleEvery: 100, now: () => now })
  for (let n = 0; n < 5; n++) write(line)
  now = 1000
  write(line)
  write(line)
  t.same(
    lines.map(({ sampled }) => sampled),
    [undefined, undefined, 4, undefined]
  )
})

t.test('however many come, a hundred lines a second from the second one on', async t => {
  let now = 0
  const { lines, write } = start('info', { now: () => now })
  const linesOf = (requests: number): number => {
    const before = lines.length
    for (let n = 0; n < requests; n++) write(line)
    now += 1000
    return lines.length - before
  }
  t.equal(linesOf(30_000), 50 + 299, 'the first that is so full')
  t.equal(linesOf(30_000), 50 + 49)
  t.equal(linesOf(60_000), 50 + 99, 'as the one before has it')
  t.equal(linesOf(60_000), 50 + 49)
  t.equal(linesOf(40), 40)
  t.equal(linesOf(150), 50 + 1)
  const told = lines.reduce((sum, { sampled = 1 }) => sum + sampled, 0)
  t.ok(told > 180_190 - 100 && told <= 180_190, 'none is forgotten')
})

t.test('nothing below info', async t => {
  const { lines, write } = start('warn')
  write(line)
  t.same(lines, [])
})

t.test('by the clock of the machine where none is given', async t => {
  const { lines, write } = start()
  write(line)
  t.equal(lines.length, 1)
})

t.test('a line tells the request and not the user', async t => {
  const proxy = await startProxy(t, { env: { LOG_LEVEL: 'info' } })
  const good = await proxy.post([entry(), entry()], { path: '/logtrail/logs/bulk?user=ada', user: 'ada-lovelace' })
  const bad = await proxy.post(entry(), { user: null, headers: { referer: 'https://app.example/private' } })
  await proxy.get('/logtrail/some/secret/address')
  const lines = proxy.lines.map(text => JSON.parse(text)).filter(({ msg }) => msg === 'request')
  t.equal(lines.length, 3)
  const common = { level: 'info', time: String, duration_ms: Number, msg: 'request' }
  const { duration_ms, time, ...first } = lines[0]
  t.ok(duration_ms > 0 && time)
  t.same(first, {
    level: 'info',
    request_id: good.headers.get('x-request-id'),
    route: '/logs/bulk',
    method: 'POST',
    status: 201,
    entries: 2,
    user: good.headers.get('x-session-tag'),
    msg: 'request'
  })
  t.match(lines[1], {
    ...common,
    request_id: bad.headers.get('x-request-id'),
    status: 401,
    error_code: 'SESSION_MISSING'
  })
  t.match(lines[2], { ...common, route: 'other', method: 'GET', status: 404, error_code: 'ROUTE_NOT_FOUND' })
  t.notMatch(proxy.lines.join(''), /ada-lovelace|user=ada|private|secret.address/)
})
