import t from 'tap'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

/**
 * Request smuggling: a body's end on which two servers disagree hides a second request in the first (RFC 9112, 6.3).
 * In each case here the second, hidden request would store an entry `smuggled`; it must never arrive, neither here nor
 * at Logtrail.
 */
const visible = JSON.stringify(entry())
const hidden = JSON.stringify(entry({ action: 'smuggled' }))
const cookie = `Cookie: session=${sign()}`
const head = [
  'POST /logtrail/logs HTTP/1.1',
  'Host: 127.0.0.1',
  'Content-Type: application/json',
  cookie,
  'Sec-Fetch-Site: same-origin'
]
const second = [...head, `Content-Length: ${hidden.length}`, '', hidden].join('\r\n')
const chunked = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

const CASES: Record<string, string> = {
  'CL.TE': [
    ...head,
    `Content-Length: ${chunked(visible).length + second.length}`,
    'Transfer-Encoding: chunked',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'TE.CL': [...head, 'Transfer-Encoding: chunked', 'Content-Length: 4', '', chunked(visible) + second].join('\r\n'),
  'two different lengths': [
    ...head,
    `Content-Length: ${visible.length}`,
    'Content-Length: 0',
    '',
    visible + second
  ].join('\r\n'),
  'two lengths in one field': [...head, `Content-Length: ${visible.length}, 0`, '', visible + second].join('\r\n'),
  'a signed length': [...head, `Content-Length: +${visible.length}`, '', visible + second].join('\r\n'),
  'a negative length': [...head, 'Content-Length: -1', '', visible + second].join('\r\n'),
  'a hexadecimal length': [...head, 'Content-Length: 0x10', '', visible + second].join('\r\n'),
  'a length that is no number': [...head, 'Content-Length: 1e2', '', visible + second].join('\r\n'),
  'a space before the colon': [...head, `Content-Length : ${visible.length}`, '', visible + second].join('\r\n'),
  'a space before the colon of Transfer-Encoding': [
    ...head,
    'Transfer-Encoding : chunked',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'bare LF line ends': [...head, `Content-Length: ${visible.length}`, '', visible + second].join('\n'),
  'a bare LF before Transfer-Encoding': `${[...head, 'X: y\nTransfer-Encoding: chunked', 'Content-Length: 4', ''].join('\r\n')}\r\n${chunked(visible)}${second}`,
  'a bare CR in a header': [
    ...head,
    `X: y\rContent-Length: 0`,
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'a folded header': [
    ...head,
    'Transfer-Encoding:',
    ' chunked',
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'a folded first header': [
    'POST /logtrail/logs HTTP/1.1',
    ' Host: 127.0.0.1',
    ...head.slice(1),
    'Content-Length: 0',
    '',
    second
  ].join('\r\n'),
  'Transfer-Encoding: xchunked': [
    ...head,
    'Transfer-Encoding: xchunked',
    'Content-Length: 4',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'Transfer-Encoding: chunked, identity': [
    ...head,
    'Transfer-Encoding: chunked, identity',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'Transfer-Encoding: gzip, chunked, and a length': [
    ...head,
    'Transfer-Encoding: gzip, chunked',
    'Content-Length: 4',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'two Transfer-Encodings': [
    ...head,
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: cow',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'a vertical tab in Transfer-Encoding': [
    ...head,
    'Transfer-Encoding: \u000bchunked',
    'Content-Length: 4',
    '',
    chunked(visible) + second
  ].join('\r\n'),
  'a chunk size that overflows': [
    ...head,
    'Transfer-Encoding: chunked',
    '',
    `fffffffffffffffff0\r\n${visible}\r\n0\r\n\r\n${second}`
  ].join('\r\n'),
  'a negative chunk size': [...head, 'Transfer-Encoding: chunked', '', `-1\r\n${visible}\r\n0\r\n\r\n${second}`].join(
    '\r\n'
  ),
  'a chunk size in 0x': [...head, 'Transfer-Encoding: chunked', '', `0x10\r\n${visible}\r\n0\r\n\r\n${second}`].join(
    '\r\n'
  ),
  'a chunk ended by LF alone': [
    ...head,
    'Transfer-Encoding: chunked',
    '',
    `${visible.length.toString(16)}\n${visible}\n0\n\n${second}`
  ].join('\r\n'),
  'a NUL in a header': [...head, 'X: a\0b', `Content-Length: ${visible.length}`, '', visible + second].join('\r\n'),
  'a header name with a space': [
    ...head,
    'Bad Name: 1',
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'no Host': [
    ...head.filter(line => !line.startsWith('Host')),
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'two Hosts': [...head, 'Host: 127.0.0.1', `Content-Length: ${visible.length}`, '', visible + second].join('\r\n'),
  'two Hosts that differ': [
    ...head,
    'HOST: evil.example',
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'an empty Host': [head[0], 'Host:', ...head.slice(2), `Content-Length: ${visible.length}`, '', visible + second].join(
    '\r\n'
  ),
  'a Host that is none': [
    head[0],
    'Host: a b/c',
    ...head.slice(2),
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'a coding that nobody undoes': [...head, 'Transfer-Encoding: gzip, chunked', '', chunked(visible) + second].join(
    '\r\n'
  ),
  'HTTP/2.0 with a body': [
    head[0]!.replace('1.1', '2.0'),
    ...head.slice(1),
    `Content-Length: ${visible.length}`,
    '',
    visible + second
  ].join('\r\n'),
  'HTTP/0.9': `POST /logtrail/logs\r\n\r\n${second}`,
  'HTTP/2.0 in words': [head[0]!.replace('1.1', '2.0'), ...head.slice(1), 'Content-Length: 0', '', second].join('\r\n'),
  'a preface of HTTP/2': `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${second}`
}

t.test('a request whose end is unclear is refused, and what hides in it never runs', async t => {
  const proxy = await startProxy(t)
  for (const [name, bytes] of Object.entries(CASES)) {
    const received = await raw(proxy.url, bytes)
    const answers = statuses(received)
    t.ok(answers.length > 0 && answers.every(status => status === 400), `${name}: refused, ${answers}`)
    t.match(received, /"error_code":"BAD_REQUEST"/)
    t.same(proxy.logtrail.entries(), [], `${name}: nothing arrived`)
  }
  t.same(proxy.logtrail.entries(), [])
})

t.test('two whole requests in one packet are two requests', async t => {
  const proxy = await startProxy(t)
  const first = [...head, `Content-Length: ${visible.length}`, '', visible].join('\r\n')
  t.same(statuses(await raw(proxy.url, first + second)), [201, 201])
})

t.test('what chunks may carry besides has an end', async t => {
  const proxy = await startProxy(t)
  const start = [...head, 'Transfer-Encoding: chunked', '', ''].join('\r\n')
  const floods = {
    'a chunk extension': `${start}1;${'x'.repeat(100_000)}\r\n{\r\n0\r\n\r\n`,
    'a trailer': `${start}${chunked(visible).slice(0, -2)}X: ${'x'.repeat(100_000)}\r\n\r\n`,
    'a size with zeros before it': `${start}${'0'.repeat(100_000)}1\r\n{\r\n0\r\n\r\n`
  }
  for (const [name, bytes] of Object.entries(floods)) {
    t.match(statuses(await raw(proxy.url, bytes)).join(), /^(400|413|431)$/, name)
  }
  const trailer = `${start}${chunked(visible).slice(0, -2)}X-API-Key: mine\r\nCookie: session=x\r\n\r\n`
  t.same(statuses(await raw(proxy.url, trailer)), [201], 'and trailers of a sensible length are not looked at')
  t.notMatch(proxy.logtrail.requests[0]!.rawHeaders.join(), 'mine')
  t.equal(proxy.logtrail.requests.length, 1)
})

t.test('headers beyond all measure are refused', async t => {
  const proxy = await startProxy(t)
  const received = await raw(proxy.url, `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`)
  t.same(statuses(received), [431])
  t.match(received, /HEADERS_TOO_LARGE/)
})
