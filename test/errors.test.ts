import t from 'tap'
import { HttpError } from '../src/errors.js'

t.test('a refusal carries no stack, which a flood would pay for; a failure of ours does', async t => {
  const before = Error.stackTraceLimit
  t.notMatch(new HttpError('RATE_LIMIT_USER_EXCEEDED').stack, /\n\s+at /)
  t.match(new HttpError('INTERNAL_ERROR').stack, /\n\s+at /)
  t.match(new HttpError('QUEUE_FULL').stack, /\n\s+at /)
  t.equal(Error.stackTraceLimit, before, 'and other errors keep theirs')
  t.match(new Error('another').stack, /\n\s+at /)
})

t.test('429 and 503 always say when to come again', async t => {
  t.equal(new HttpError('RATE_LIMIT_IP_EXCEEDED').retryAfter, 1)
  t.equal(new HttpError('QUEUE_FULL').retryAfter, 1)
  t.equal(new HttpError('QUEUE_FULL', { retryAfter: 7 }).retryAfter, 7)
  t.equal(new HttpError('SESSION_MISSING').retryAfter, undefined)
  t.equal(new HttpError('UPSTREAM_ERROR').retryAfter, undefined)
})
