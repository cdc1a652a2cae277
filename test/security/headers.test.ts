import t from 'tap'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

/**
 * What leaves for Logtrail is an allowlist: no header of a browser gets there, none can take one of ours away, whatever
 * stands in Connection (RFC 9110, 7.6.1: a proxy drops what Connection names, and a careless one drops its own key).
 */
const OFF = { RATE_LIMIT_IP_MAX: '0', RATE_LIMIT_MAX: '0', RATE_LIMIT_LOGS_MAX: '0', RATE_LIMIT_ANONYMOUS_MAX: '0' }
const body = JSON.stringify(entry())

/** Each is a set of header lines that some proxy, somewhere, has fallen for. */
const TRICKS: Record<string, string[]> = {
  'Connection names the key': ['Connection: x-api-key'],
  'Connection names the key, in capitals': ['Connection: X-API-Key'],
  'Connection names everything': [
    'Connection: close, x-api-key, content-type, content-length, host, x-request-id, user-agent, accept'
  ],
  'two Connections': ['Connection: keep-alive', 'Connection: x-api-key'],
  'Connection with odd spaces': ['Connection: \t x-api-key\t,,, \t'],
  'Proxy-Connection': ['Proxy-Connection: x-api-key'],
  'Keep-Alive': ['Keep-Alive: x-api-key', 'Connection: keep-alive'],
  'TE and Trailer': ['TE: trailers, x-api-key', 'Trailer: x-api-key', 'Connection: TE, Trailer'],
  'Upgrade and Connection': ['Upgrade: x-api-key', 'Connection: upgrade, x-api-key'],
  'HTTP2-Settings': ['Connection: HTTP2-Settings, x-api-key', 'HTTP2-Settings: AAMAAABk'],
  'a key of its own': ['X-API-Key: lt_development_wo_mine-mine-mine'],
  'a key in all spellings': ['x-api-key: a-a-a', 'X-API-KEY: b-b-b', 'X_API_KEY: c-c-c', 'X-Api-Key: '],
  'a key by Authorization': ['Authorization: ApiKey lt_development_wo_mine-mine-mine'],
  'a key that Connection names': ['X-API-Key: mine-mine-mine', 'Connection: x-api-key'],
  'Proxy-Authorization': ['Proxy-Authorization: Basic bWluZTptaW5l'],
  'forwarding headers': [
    'X-Forwarded-For: 192.0.2.66',
    'X-Forwarded-Host: evil.example',
    'X-Forwarded-Proto: gopher',
    'X-Forwarded-Port: 1',
    'X-Forwarded-Prefix: /evil',
    'X-Real-IP: 192.0.2.66',
    'Forwarded: for=192.0.2.66;host=evil.example',
    'Via: 1.1 evil',
    'X-Cluster-Client-IP: 192.0.2.66',
    'CF-Connecting-IP: 192.0.2.66',
    'True-Client-IP: 192.0.2.66'
  ],
  'where it comes from': ['Referer: https://app.example/private?token=1', 'Origin: https://app.example', 'DNT: 1'],
  'ids of its own': [
    'X-Request-Id: mine-mine-mine',
    'Traceparent: 00-mine-mine-01',
    'X-Correlation-Id: mine-mine-mine'
  ],
  'a user agent': ['User-Agent: mine-mine-mine/1.0', 'Accept: mine/mine-mine', 'Accept-Encoding: gzip, br'],
  'other addresses': ['X-Original-URL: /info', 'X-Rewrite-URL: /info', 'X-HTTP-Method-Override: GET', 'X-Method: GET'],
  'conditions and ranges': ['If-None-Match: *', 'If-Match: "x"', 'Range: bytes=0-1', 'Cache-Control: only-if-cached'],
  'an idempotency key': ['Idempotency-Key: mine-mine-mine'],
  'a thousand headers': Array.from({ length: 1000 }, (_, n) => `X-Mine-${n}: mine-mine`),
  'names of the language': ['__proto__: mine-mine-mine', 'constructor: mine-mine-mine', 'toString: mine-mine-mine'],
  'bytes beyond ASCII': ['X-Odd: \u00e9\u00ff']
}

const ALLOWED = [
  'accept',
  'connection',
  'content-length',
  'content-type',
  'host',
  'user-agent',
  'x-api-key',
  'x-request-id'
]

for (const delivery of ['direct', 'pooled']) {
  t.test(`${delivery}: whatever a browser sends, Logtrail gets the eight headers of ours`, async t => {
    const proxy = await startProxy(t, { env: { ...OFF, DELIVERY: delivery } })
    for (const [name, lines] of Object.entries(TRICKS)) {
      const own = lines.some(line => /^authorization: bearer/i.test(line))
      const request = [
        'POST /logtrail/logs HTTP/1.1',
        'Host: evil.example',
        'Content-Type: text/plain;charset=UTF-8',
        'Sec-Fetch-Site: same-origin',
        ...(own ? [] : [`Cookie: session=${sign()}; other=mine-mine-mine`]),
        `Content-Length: ${body.length}`,
        ...lines,
        '',
        body
      ].join('\r\n')
      const received = await raw(proxy.url, Buffer.from(request, 'latin1'), { quietMs: 30 })
      t.same(statuses(received), [201], name)
      const { rawHeaders, url, method, body: sent } = proxy.logtrail.requests.at(-1)!
      const pairs = rawHeaders.flatMap((header, at) =>
        at % 2 === 0 ? [[header.toLowerCase(), rawHeaders[at + 1]!]] : []
      )
      t.same(pairs.map(([header]) => header).sort(), ALLOWED, `${name}: each once, and no other`)
      const headers = Object.fromEntries(pairs)
      t.match(headers, {
        accept: 'application/json',
        connection: 'keep-alive',
        'content-length': String(sent!.length),
        'content-type': 'application/json',
        host: new URL(proxy.logtrail.url).host,
        'user-agent': /^logtrail-bff\/\d+\.\d+\.\d+$/,
        'x-api-key': proxy.logtrail.key,
        'x-request-id': /^[0-9a-f-]{36}$/
      })
      t.match({ url, method }, { url: /^\/api\/v1\/workspace\/logs(\/bulk)?$/, method: 'POST' })
      t.notMatch(rawHeaders.join('\n'), /mine|evil|192\.0\.2\.66|session/, `${name}: nothing of the browser's`)
      if (delivery === 'direct') t.match(received.toLowerCase(), `x-request-id: ${headers['x-request-id']}`)
    }
    t.equal(proxy.logtrail.entries().length, Object.keys(TRICKS).length)
  })
}

t.test('the body that leaves is the one that was checked, not the one that came', async t => {
  const proxy = await startProxy(t, { env: OFF })
  const twice =
    '{"action":"first","action":"second","level":"info","clientTimestamp":"2026-03-01T12:00:00Z","is_public":true}'
  t.equal((await proxy.post(twice)).status, 201)
  t.equal(
    proxy.logtrail.requests[0]!.body?.toString(),
    '{"action":"second","level":"info","clientTimestamp":"2026-03-01T12:00:00Z","actor":{"id":"ada"}}'
  )
})
