/**
 * Node.js drops the headers of a request from the 1,001st on, unseen, unless told otherwise: whoever sent a thousand of no
 * meaning first went round every rule that a header carries.
 */
import t from 'tap'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'

const body = JSON.stringify(entry())
const length = `Content-Length: ${body.length}`
const cookie = `Cookie: session=${sign()}`
const bearer = `Authorization: Bearer ${sign()}`
const page = 'Sec-Fetch-Site: same-origin'

const CASES: Record<string, [first: string[], last: string[], status: number]> = {
  'nothing that matters': [[cookie, page, length], ['X-Mine: 1'], 201],
  'a page of elsewhere': [[bearer, length], ['Origin: http://evil.example', 'Sec-Fetch-Site: cross-site'], 403],
  'another session': [[cookie, page, length], ['Authorization: Bearer bad'], 401],
  'a second cookie': [[cookie, page, length], [`Cookie: session=${sign({ sub: 'bob' })}`], 401],
  "another user's tag": [[cookie, page, length], ['X-Session-Tag: mine'], 401],
  'a coding of the body': [[cookie, page, length], ['Content-Encoding: gzip'], 415],
  'a coding of the message': [[cookie, page], ['Transfer-Encoding: gzip, chunked'], 400],
  'another host': [[cookie, page, length], ['Host: b'], 400]
}

t.test('what stands behind two thousand headers counts', async t => {
  const proxy = await startProxy(t, { env: { RATE_LIMIT_MAX: '0' } })
  for (const [name, [first, last, status]] of Object.entries(CASES)) {
    const many = Array.from({ length: 2100 }, (_, n) => `a${n}: 1`)
    const head = [
      'POST /logtrail/logs HTTP/1.1',
      'Host: a',
      'Content-Type: application/json',
      ...first,
      ...many,
      ...last
    ]
    t.same(
      statuses(await raw(proxy.url, [...head, '', body].join('\r\n'), { quietMs: 100 })).slice(0, 1),
      [status],
      name
    )
  }
  t.equal(proxy.logtrail.entries().length, 1)
})
