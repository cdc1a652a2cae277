import t from 'tap'
import { entry, type Program, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

/** Spellings of addresses that some server, proxy or library takes for another one. None may reach Logtrail. */
const PATHS = [
  // what Logtrail has besides, and must never be reachable
  '/logtrail/logs/query',
  '/logtrail/logs/validate',
  '/logtrail/info',
  '/logtrail/usage',
  '/logtrail/logs/0b5c8f3e-7a0e-4f3c-9a53-000000000000',
  '/api/v1/workspace/logs',
  '/api/v1/workspace/logs/bulk',
  '/logs',
  '/logs/bulk',
  '/',
  '//',
  '/logtrail',
  '/logtrail/',
  '*',
  // dot segments
  '/logtrail/logs/.',
  '/logtrail/logs/..',
  '/logtrail/./logs',
  '/logtrail/../logtrail/logs',
  '/logtrail/logs/../logs',
  '/logtrail/logs/../info',
  '/logtrail/logs/bulk/..',
  '/logtrail/logs/bulk/../query',
  '/logtrail/logs/./bulk',
  '/./logtrail/logs',
  '/../logtrail/logs',
  '/x/../logtrail/logs',
  '/logtrail/logs/..;/info',
  '/logtrail/..;/logtrail/logs',
  '/logtrail/logs/%2e%2e/info',
  '/logtrail/logs/%2E%2E/info',
  '/logtrail/%2e/logs',
  '/logtrail/logs/.%2e/info',
  '/logtrail/logs/%2e./info',
  '/logtrail/logs/%252e%252e/info',
  '/logtrail/logs/..%2finfo',
  '/logtrail/logs/..%5cinfo',
  '/logtrail/logs\\..\\info',
  '/logtrail\\logs',
  '\\logtrail\\logs',
  // encodings
  '/logtrail/%6cogs',
  '/logtrail/%6Cogs',
  '/%6cogtrail/logs',
  '/logtrail%2flogs',
  '/logtrail%2Flogs',
  '/logtrail/logs%2fbulk',
  '/logtrail/logs%2Fquery',
  '/logtrail/logs%5cbulk',
  '/logtrail/%256cogs',
  '/logtrail/log%73/bulk',
  '/logtrail/logs%00',
  '/logtrail/logs%00/bulk',
  '/logtrail/logs%20',
  '/logtrail/logs%09',
  '/logtrail/logs%0a',
  '/logtrail/logs%0d%0aX-Evil:1',
  '/logtrail/logs%3f',
  '/logtrail/logs%3fa=b',
  '/logtrail/logs%23',
  '/logtrail/logs%',
  '/logtrail/logs%zz',
  '/logtrail/logs%c0%af',
  '/logtrail%c0%aflogs',
  '/logtrail/%e0%80%afinfo',
  '/logtrail/logs%u002finfo',
  '/logtrail/%ef%bd%8cogs',
  // slashes
  '//logtrail/logs',
  '/logtrail//logs',
  '/logtrail/logs/',
  '/logtrail/logs//',
  '/logtrail/logs//bulk',
  '///logtrail///logs',
  '/logtrail/logs/bulk/',
  '/logtrail/logs/bulk//',
  '//evil.example/logtrail/logs',
  '/\\evil.example/logtrail/logs',
  // parameters and fragments
  '/logtrail/logs;',
  '/logtrail/logs;a=b',
  '/logtrail;a=b/logs',
  '/logtrail/logs;/bulk',
  '/logtrail/logs#',
  '/logtrail/logs#/query',
  '#/logtrail/logs',
  '/logtrail/logs&x',
  '/logtrail/logs,bulk',
  // case and near names
  '/LOGTRAIL/logs',
  '/logtrail/LOGS',
  '/logtrail/Logs',
  '/logtrail/logs/BULK',
  '/logtrail/log',
  '/logtrail/logsx',
  '/logtrail/logs.json',
  '/logtrail/logs~',
  '/logtrail/logs*',
  '/logtrail/logs/bulk.json',
  '/logtrail/logs/:id',
  '/logtraillogs',
  '/-',
  '/-/logs',
  // absolute form and other targets
  'http://evil.example/logtrail/logs',
  'http://127.0.0.1/logtrail/logs',
  'https://api.logtrail.net/api/v1/workspace/logs',
  'http:///logtrail/logs',
  'HTTP://evil.example/logtrail/logs',
  'http://evil.example:80/logtrail/logs?x=/logtrail/logs',
  'http://user:pass@evil.example/logtrail/logs',
  'file:///logtrail/logs',
  'javascript:/logtrail/logs',
  'evil.example:443',
  'logtrail/logs',
  '.',
  '?',
  '?/logtrail/logs',
  '/?/logtrail/logs',
  '/?path=/logtrail/logs'
]

const METHODS = [
  'GET',
  'HEAD',
  'PUT',
  'PATCH',
  'DELETE',
  'TRACE',
  'CONNECT',
  'PROPFIND',
  'SEARCH',
  'QUERY',
  'MKCOL',
  'PURGE',
  'LINK',
  'M-SEARCH',
  'post',
  'Post',
  'POSTX',
  'POS T',
  'FOO'
]

const body = JSON.stringify(entry())

function request(target: string, method = 'POST', more = ''): string {
  return [
    `${method} ${target} HTTP/1.1`,
    'Host: 127.0.0.1',
    'Content-Type: application/json',
    `Content-Length: ${body.length}`,
    'Sec-Fetch-Site: same-origin',
    `Cookie: session=${sign()}`,
    `${more}Connection: close`,
    '',
    body
  ].join('\r\n')
}

type Tap = Pick<typeof t, 'equal'>

function nothingLeft(t: Tap, proxy: Program): void {
  t.equal(proxy.logtrail.requests.length, 0, 'nothing reached Logtrail')
}

t.test('every other spelling of an address is refused here', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_IP_MAX: '0', RATE_LIMIT_MAX: '0' } })
  for (const path of PATHS) {
    const received = await raw(proxy.url, request(path))
    t.match(statuses(received).join(), /^(400|404|405)$/, `POST ${path}`)
    t.match(received, /"error_code":"(ROUTE_NOT_FOUND|METHOD_NOT_ALLOWED|BAD_REQUEST)"/)
  }
  nothingLeft(t, proxy)
  t.ok(PATHS.length + METHODS.length >= 100)
  const [good] = statuses(await raw(proxy.url, request('/logtrail/logs?ignored=/info')))
  t.equal(good, 201, 'a query string is ignored')
  t.equal(proxy.logtrail.requests[0]!.url, '/api/v1/workspace/logs')
})

t.test('every other method is refused here', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_IP_MAX: '0', RATE_LIMIT_MAX: '0' } })
  for (const method of METHODS) {
    for (const path of ['/logtrail/logs', '/logtrail/logs/bulk']) {
      const received = await raw(proxy.url, request(path, method))
      t.match(statuses(received).join(), /^(400|404|405)$/, `${method} ${path}`)
    }
  }
  for (const override of ['X-HTTP-Method-Override: GET\r\n', 'X-Original-URL: /info\r\n', 'X-Rewrite-URL: /info\r\n']) {
    t.same(statuses(await raw(proxy.url, request('/logtrail/logs', 'POST', override))), [201], override.trim())
  }
  for (const { method, url } of proxy.logtrail.requests)
    t.same({ method, url }, { method: 'POST', url: '/api/v1/workspace/logs' })
})

t.test('a wrong method names the right one', async t => {
  const proxy = await startProxy(t)
  const answer = await proxy.post(undefined, { method: 'PUT' })
  t.equal(answer.status, 405)
  t.equal(answer.body.error_code, 'METHOD_NOT_ALLOWED')
  t.equal(answer.headers.get('allow'), 'POST, OPTIONS')
})
