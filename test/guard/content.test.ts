import t from 'tap'
import { checkContent } from '../../src/guard/content.js'

t.test('UTF-8 JSON as application/json or text/plain, as it is', async t => {
  const good: Record<string, string>[] = [
    { 'content-type': 'application/json' },
    { 'content-type': 'application/json; charset=utf-8' },
    { 'content-type': 'Application/JSON;Charset="UTF-8"' },
    { 'content-type': 'application/json;charset=utf8' },
    { 'content-type': 'application/json; profile="x"; charset=utf-8' },
    { 'content-type': 'text/plain;charset=UTF-8' },
    { 'content-type': 'text/plain' },
    { 'content-type': ' text/plain \t; charset=utf-8 ; ' },
    { 'content-type': 'application/json;' },
    { 'content-type': 'application/json; a=";charset=latin1"' },
    { 'content-type': 'application/json; a="\\";charset=latin1"; charset=utf-8' },
    { 'content-type': 'application/json', 'content-encoding': 'identity' },
    { 'content-type': 'application/json', 'content-encoding': ' Identity ' }
  ]
  for (const headers of good) t.doesNotThrow(() => checkContent(headers), JSON.stringify(headers))
})

t.test('nothing else', async t => {
  const bad: Record<string, string>[] = [
    { 'content-type': 'text/html' },
    { 'content-type': 'application/xml' },
    { 'content-type': 'application/x-www-form-urlencoded' },
    { 'content-type': 'multipart/form-data; boundary=x' },
    { 'content-type': 'application/json+x' },
    { 'content-type': 'application/jsonp' },
    { 'content-type': 'application/ld+json' },
    { 'content-type': 'text/plain, application/json' },
    { 'content-type': '' },
    { 'content-type': '; charset=utf-8' },
    { 'content-type': 'application/json; charset=latin1' },
    { 'content-type': 'application/json; charset=utf-16' },
    { 'content-type': 'application/json; charset' },
    { 'content-type': 'application/json; charset =iso-8859-1' },
    { 'content-type': 'application/json; charset= utf-8' },
    { 'content-type': 'application/json; charset="utf-8' },
    { 'content-type': 'application/json; charset=utf-8"' },
    { 'content-type': "application/json; charset*=iso-8859-1''x" },
    { 'content-type': 'application/json; charset=utf-8 x' },
    { 'content-type': 'application/json, text/plain' },
    { 'content-type': 'application/json; charset=utf-8; charset=utf-7' },
    { 'content-type': 'application/json', 'content-encoding': 'gzip' },
    { 'content-type': 'application/json', 'content-encoding': 'br' },
    { 'content-type': 'application/json', 'content-encoding': 'identity, gzip' },
    { 'content-type': 'application/json', 'content-encoding': '' },
    { 'content-length': '2' },
    { 'transfer-encoding': 'chunked' }
  ]
  for (const headers of bad) {
    t.throws(() => checkContent(headers), { code: 'VALIDATION_INVALID_CONTENT_TYPE' }, JSON.stringify(headers))
  }
})

t.test('neither a type nor a body is an empty body', async t => {
  for (const headers of [{}, { 'content-length': '0' }]) {
    t.throws(() => checkContent(headers), { code: 'VALIDATION_EMPTY_BODY' })
  }
})
