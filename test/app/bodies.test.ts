import { gzipSync } from 'node:zlib'
import t from 'tap'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'
import { isError } from './is-error.js'

const OFF = { RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0' }
const LIMIT = 8192
const exactly = (bytes: number) => {
  const empty = JSON.stringify(entry({ x: '' })).length
  return JSON.stringify(entry({ x: 'x'.repeat(bytes - empty) }))
}

function head(...more: string[]): string {
  return [
    'POST /logtrail/logs HTTP/1.1',
    'Host: a',
    'Content-Type: application/json',
    'Sec-Fetch-Site: same-origin',
    `Cookie: session=${sign()}`,
    ...more,
    '',
    ''
  ].join('\r\n')
}

t.test('BODY_LIMIT, by Content-Length: refused before a byte is read', async t => {
  const proxy = await startProxy(t, { env: { ...OFF, BODY_LIMIT: String(LIMIT) } })
  t.equal((await proxy.post(exactly(LIMIT))).status, 201)
  isError(t, await proxy.post(exactly(LIMIT + 1)), 413, 'BODY_TOO_LARGE')
  for (const length of [LIMIT + 1, 4e9, 9_007_199_254_740_991]) {
    t.same(statuses(await raw(proxy.url, head(`Content-Length: ${length}`))), [413], String(length))
  }
  t.equal(proxy.logtrail.requests.length, 1)
})

t.test('BODY_LIMIT, in chunks: counted while they come', async t => {
  const proxy = await startProxy(t, { env: { ...OFF, BODY_LIMIT: String(LIMIT) } })
  const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
  const chunked = (text: string, size: number) =>
    head('Transfer-Encoding: chunked', 'Connection: close') +
    (text.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []).map(chunk).join('') +
    '0\r\n\r\n'
  t.same(statuses(await raw(proxy.url, chunked(exactly(LIMIT), 100))), [201])
  t.same(statuses(await raw(proxy.url, chunked(exactly(200), 1))), [201])
  t.same(statuses(await raw(proxy.url, chunked(exactly(LIMIT + 1), 100))), [413])
  t.same(statuses(await raw(proxy.url, chunked(exactly(100_000), 5000))), [413])
  const endless = head('Transfer-Encoding: chunked') + chunk('x'.repeat(1000)).repeat(20)
  const received = await raw(proxy.url, endless)
  t.same(statuses(received), [413], 'without waiting for the end')
  t.match(received, /"error_code":"BODY_TOO_LARGE"/)
  t.equal(proxy.logtrail.requests.length, 2)
})

t.test('fewer bytes than were announced', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const received = await raw(proxy.url, `${head('Content-Length: 1000')}{"a":1}`, { timeoutMs: 300 })
  t.equal(received, '', 'are waited for')
  t.equal((await proxy.post(entry())).status, 201)
})

t.test('text/plain, as navigator.sendBeacon sends it', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const beacon = { headers: { 'content-type': 'text/plain;charset=UTF-8', accept: '*/*' } }
  t.equal((await proxy.post(entry({ message: 'grüße 🌍' }), beacon)).status, 201)
  t.equal((await proxy.post([entry(), entry()], { path: '/logtrail/logs/bulk', ...beacon })).status, 201)
  t.equal(proxy.logtrail.entries()[0]!.message, 'grüße 🌍')
  for (const { rawHeaders } of proxy.logtrail.requests) t.match(rawHeaders.join(), /content-type,application\/json/i)
})

t.test('any other type or encoding: 415, and the body is not looked at', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const body = JSON.stringify(entry())
  const cases: Record<string, string | undefined>[] = [
    { 'content-type': 'text/html' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'multipart/form-data; boundary=----x' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-encoding': 'gzip' },
    { 'content-encoding': 'deflate' },
    { 'content-encoding': 'br' },
    { 'content-encoding': 'identity, gzip' }
  ]
  for (const headers of cases) {
    isError(t, await proxy.post(body, { headers }), 415, 'VALIDATION_INVALID_CONTENT_TYPE', JSON.stringify(headers))
  }
  const packed = new Uint8Array(gzipSync(body))
  isError(
    t,
    await proxy.post(packed, { headers: { 'content-encoding': 'gzip' } }),
    415,
    'VALIDATION_INVALID_CONTENT_TYPE'
  )
  isError(t, await proxy.post(packed), 400, 'VALIDATION_INVALID_JSON')
  const bare = [
    head(`Content-Length: ${body.length}`, 'Connection: close').replace(/Content-Type.*\r\n/, ''),
    body
  ].join('')
  t.match(await raw(proxy.url, bare), /^HTTP\/1.1 415 [\s\S]*VALIDATION_INVALID_CONTENT_TYPE/)
  t.equal((await proxy.post(body, { headers: { 'content-encoding': 'identity' } })).status, 201)
  t.equal(proxy.logtrail.requests.length, 1)
})

t.test('bodies that are no entries', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const bulk = { path: '/logtrail/logs/bulk' }
  const cases: [unknown, object, string][] = [
    ['', {}, 'VALIDATION_EMPTY_BODY'],
    ['   \n', {}, 'VALIDATION_EMPTY_BODY'],
    ['', bulk, 'VALIDATION_EMPTY_BODY'],
    ['{', {}, 'VALIDATION_INVALID_JSON'],
    ["{'action':1}", {}, 'VALIDATION_INVALID_JSON'],
    ['{"a":1}{"a":2}', {}, 'VALIDATION_INVALID_JSON'],
    [new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]), {}, 'VALIDATION_INVALID_JSON'],
    [new Uint8Array(Buffer.from('{}', 'utf16le')), {}, 'VALIDATION_INVALID_JSON'],
    ['[]', {}, 'VALIDATION_FAILED'],
    ['null', {}, 'VALIDATION_FAILED'],
    ['7', {}, 'VALIDATION_FAILED'],
    ['"x"', bulk, 'VALIDATION_FAILED'],
    ['{}', bulk, 'VALIDATION_FAILED'],
    ['[]', bulk, 'VALIDATION_FAILED'],
    ['[1]', bulk, 'VALIDATION_FAILED'],
    ['[[]]', bulk, 'VALIDATION_FAILED'],
    [entry({ level: 'loud' }), {}, 'VALIDATION_FAILED'],
    [entry({ environment: 'production' }), {}, 'VALIDATION_INVALID_ENVIRONMENT'],
    [[entry(), entry({ environment: 'staging' })], bulk, 'VALIDATION_INVALID_ENVIRONMENT']
  ]
  for (const [body, how, code] of cases) {
    isError(t, await proxy.post(body, how), 400, code, String(JSON.stringify(body)).slice(0, 60))
  }
  const many = Array.from({ length: 300 }, () => ({ action: 'secret-action' }))
  const { body } = await proxy.post(many, bulk)
  t.equal(body.details.errors.length, 100)
  t.equal(body.details.truncated, true)
  t.match(body.details.errors[99], { log_index: Number, field: String, message: String })
  const single = await proxy.post({ action: 'x' })
  t.match(single.body.details, { errors: [{ log_index: null }, { log_index: null }] })
  t.notOk('truncated' in single.body.details)
  t.same(proxy.logtrail.requests, [])
})

t.test('no body at all, and no type', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const bare = head('Content-Length: 0', 'Connection: close').replace(/Content-Type.*\r\n/, '')
  t.match(await raw(proxy.url, bare), /^HTTP\/1.1 400 [\s\S]*VALIDATION_EMPTY_BODY/)
  t.match(await raw(proxy.url, bare.replace(/Content-Length.*\r\n/, '')), /^HTTP\/1.1 400 [\s\S]*VALIDATION_EMPTY_BODY/)
  isError(t, await proxy.post(undefined), 400, 'VALIDATION_EMPTY_BODY')
})

t.test('a query string is ignored, whatever it holds', async t => {
  const proxy = await startProxy(t, { env: OFF })
  for (const query of ['?', '?a=b', '?path=/info', '?__proto__=1', `?${'x'.repeat(10_000)}`, '?%', '??', '?a=b#c']) {
    t.equal((await proxy.post(entry(), { path: `/logtrail/logs${query}` })).status, 201, query.slice(0, 20))
  }
  for (const { url } of proxy.logtrail.requests) t.equal(url, '/api/v1/workspace/logs')
})

t.test('Idempotency-Key is accepted, and goes nowhere', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const headers = { 'idempotency-key': 'again-and-again' }
  t.equal((await proxy.post(entry(), { headers })).status, 201)
  t.equal((await proxy.post(entry(), { headers })).status, 201)
  t.equal(proxy.logtrail.entries().length, 2)
  t.notMatch(proxy.logtrail.requests.map(({ rawHeaders }) => rawHeaders.join()).join(), /idempotency|again/i)
})

t.test('another prefix, and none', async t => {
  for (const [prefix, path] of [
    ['/api/log', '/api/log/logs'],
    ['/', '/logs']
  ] as const) {
    const proxy = await startProxy(t, { env: { ...OFF, ROUTE_PREFIX: prefix } })
    t.equal((await proxy.post(entry(), { path })).status, 201)
    t.equal((await proxy.post([entry()], { path: `${path}/bulk` })).status, 201)
    isError(t, await proxy.post(entry()), 404, 'ROUTE_NOT_FOUND')
    t.same(
      proxy.logtrail.requests.map(({ url }) => url),
      ['/api/v1/workspace/logs', '/api/v1/workspace/logs/bulk']
    )
  }
})

t.test('an address of Logtrail with slashes at its end is the same address', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const { url } = proxy.logtrail
  const slashes = await startProxy(t, {
    env: { ...OFF, LOGTRAIL_URL: `${url}//`, LOGTRAIL_API_KEY: proxy.logtrail.key }
  })
  t.equal((await slashes.post(entry())).status, 201)
  t.equal(proxy.logtrail.requests[0]!.url, '/api/v1/workspace/logs')
})
