import t from 'tap'
import { answerOf, httpHeaders } from '../../src/logtrail/answer.js'

t.test('an answer survives its way through reply-from', async t => {
  for (const headers of [
    {},
    { contentType: 'application/json' },
    { retryAfter: '3', 'x-ratelimit-limit': '1', 'x-ratelimit-remaining': '2', 'x-ratelimit-reset': '3' }
  ]) {
    const body = Buffer.from('{}')
    t.strictSame(answerOf({ statusCode: 429, headers: httpHeaders(headers), stream: body }), {
      status: 429,
      headers,
      body
    })
  }
})
