import t from 'tap'
import { errorBody, HttpError } from '../../src/errors.js'
import type { AnswerHeaders, UpstreamAnswer } from '../../src/logtrail/answer.js'
import { UpstreamFault } from '../../src/logtrail/fault.js'
import { judge, passOn, toHttpError, type Verdict } from '../../src/logtrail/verdict.js'

const NOW = Date.UTC(2026, 10, 23, 22, 0, 0)

function answer(status: number, body: unknown = '', headers: AnswerHeaders = {}): UpstreamAnswer {
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
  return { status, headers, body: bytes }
}

const verdict = (...of: Parameters<typeof answer>) => judge(answer(...of), NOW)
const fault = (status: number) => ({ kind: 'fault', reason: new RegExp(`Logtrail answered ${status}, `) })
const refused = { error_code: 'VALIDATION_FAILED', message: 'no', request_id: '1' }

t.test('delivered is 200, 201, 202 or 204 with nothing or JSON, and nothing else', async t => {
  for (const status of [200, 201, 202, 204]) {
    for (const body of ['', '\n', ' \r\n\t', '{}', '[1]', '"ok"', 'null', ' {"a": 1}\n', '{"grüße":"ü"}']) {
      t.strictSame(verdict(status, body), { kind: 'delivered' }, `${status} ${body}`)
    }
    for (const body of ['<!doctype html>', 'OK', '{"a":', '\x00', Buffer.from('"\xff"', 'latin1'), '\uFEFF{}']) {
      t.match(verdict(status, body, { contentType: 'application/json' }), {
        kind: 'fault',
        reason: new RegExp(`${status}.*no JSON`)
      })
    }
  }
  for (const status of [203, 205, 206, 207, 226, 299]) t.match(verdict(status, '{}'), fault(status))
})

t.test('a redirect, an address that is wrong, and what fails on its own are faults', async t => {
  for (const status of [300, 301, 302, 303, 304, 307, 308]) {
    t.match(verdict(status, ''), { kind: 'fault', reason: new RegExp(`${status}.*redirect`) })
  }
  for (const status of [402, 404, 405, 406, 408, 409, 410, 415, 418, 431, 451, 500, 502, 503, 504, 599]) {
    t.match(verdict(status, refused), fault(status))
  }
})

t.test('401 and 403 speak of the key where they are JSON or empty, as those of Logtrail are', async t => {
  for (const status of [401, 403]) {
    for (const body of ['', '\n', '{}', refused]) t.strictSame(verdict(status, body), { kind: 'key', status })
    for (const body of ['<html>', '\r\n<!DOCTYPE html>', 'error code: 1020', '{"error_code":']) {
      t.match(verdict(status, body, { contentType: 'application/json' }), fault(status), body)
    }
  }
})

t.test('429: the minute', async t => {
  const cases: [string | undefined, number | undefined][] = [
    [undefined, undefined],
    ['0', 0],
    ['7', 7000],
    ['1.5', 1500],
    ['3601', 3_601_000],
    ['86400', 86_400_000],
    ['86401', 86_400_000],
    ['999999999', 86_400_000],
    ['-1', undefined],
    ['soon', undefined],
    ['', undefined],
    ['0x10', undefined],
    ['Mon, 23 Nov 2026 22:00:30 GMT', 30_000],
    ['Monday, 23-Nov-26 22:00:10 GMT', 10_000],
    ['Mon, 23 Nov 2026 21:59:00 GMT', 0],
    ['Tue, 24 Nov 2026 22:00:00 GMT', 86_400_000],
    ['Mon, 23 Nov 2099 22:00:30 GMT', 86_400_000],
    // asctime's form, which names no zone and means UTC; one of its days has a single digit
    ['Mon Nov 23 22:00:40 2026', 40_000],
    ['Sun Nov  6 08:49:37 1994', 0],
    ['Xxx, 99 Xxx 2026 22:00:30 GMT', undefined]
  ]
  for (const [retryAfter, ms] of cases) {
    const headers = retryAfter === undefined ? {} : { retryAfter }
    const expected = ms === undefined ? { kind: 'rate' } : { kind: 'rate', retryAfterMs: ms }
    t.strictSame(verdict(429, { error_code: 'RATE_LIMIT_PLAN_EXCEEDED' }, headers), expected, retryAfter ?? 'none')
  }
  t.strictSame(verdict(429, '<html>'), { kind: 'rate' })
})

t.test('a date without a zone is UTC wherever this program runs', async t => {
  const zone = process.env.TZ
  t.teardown(() => {
    if (zone === undefined) delete process.env.TZ
    else process.env.TZ = zone
  })
  for (const place of ['Asia/Tokyo', 'America/New_York']) {
    process.env.TZ = place
    for (const date of ['Mon Nov 23 22:30:00 2026', 'Mon, 23 Nov 2026 22:30:00 GMT']) {
      t.strictSame(
        verdict(429, '', { retryAfter: date }),
        { kind: 'rate', retryAfterMs: 1_800_000 },
        `${date}, ${place}`
      )
    }
  }
})

t.test('429: the month, in both spellings and both forms', async t => {
  const until = (now: number) =>
    judge(answer(429, { error_code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED' }, { retryAfter: '5' }), now)
  for (const code of ['QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', 'monthly_log_limit_exceeded']) {
    for (const body of [
      { error_code: code },
      { error: { code } },
      { error: { type: code, message: 'spent' } },
      { code }
    ]) {
      t.strictSame(verdict(429, body), { kind: 'quota', untilMs: Date.UTC(2026, 11, 1) })
    }
  }
  t.match(until(Date.UTC(2026, 11, 31, 23, 59, 59, 999)), { untilMs: Date.UTC(2027, 0, 1) })
  t.match(until(Date.UTC(2026, 11, 1)), { untilMs: Date.UTC(2027, 0, 1) })
  t.match(until(Date.UTC(2028, 0, 31)), { untilMs: Date.UTC(2028, 1, 1) })
})

t.test('400, 413 and 422 speak of the entries, whatever the body says', async t => {
  const own = { kind: 'refused', code: 'VALIDATION_FAILED', message: 'The log service refused it.', errors: [] }
  for (const status of [400, 413, 422]) {
    t.strictSame(verdict(status, refused), { kind: 'refused', code: 'VALIDATION_FAILED', message: 'no', errors: [] })
    const nothing = [
      '',
      ' \n',
      '{}',
      '[]',
      '"no"',
      'null',
      '{"a":1}',
      '{"error_code":5,"message":{}}',
      'Bad <b>Request'
    ]
    for (const body of nothing) t.strictSame(verdict(status, body), own, `${status} ${body}`)
    t.strictSame(verdict(status, { error_code: 'QUITE_NEW' }), { ...own, code: 'QUITE_NEW' })
    t.strictSame(verdict(status, { message: 'Bad Request' }), { ...own, message: 'Bad Request' })
    const code = 'VALIDATION_BULK_LIMIT_EXCEEDED'
    t.strictSame(verdict(status, { error_code: code, message: 'at most 50' }), {
      kind: 'too-many',
      code,
      message: 'at most 50',
      errors: []
    })
    t.match(verdict(status, { error: { code: code.toLowerCase() } }), { kind: 'too-many', code })
  }
})

t.test('a page of HTML comes from something in between, but for the limit on sizes of a reverse proxy', async t => {
  for (const body of ['<html>', '<!doctype html>', ' \r\n<HTML><body>413', '\uFEFF<p>']) {
    for (const status of [400, 422])
      t.match(verdict(status, body), { kind: 'fault', reason: new RegExp(`${status}.*page`) }, body)
    t.match(verdict(413, body), { kind: 'refused', code: 'VALIDATION_FAILED', errors: [] }, body)
  }
})

t.test('the faults of entries are read from every form', async t => {
  const one = { log_index: 2, field: 'level', message: 'wrong' }
  const cases: [unknown, unknown[]][] = [
    [
      { ...refused, details: { errors: [one, { field: 'a', message: 'b' }] } },
      [one, { log_index: null, field: 'a', message: 'b' }]
    ],
    [{ ...refused, details: [one] }, [one]],
    [{ ...refused, errors: [one] }, [one]],
    [{ ...refused, details: one }, [one]],
    [{ ...refused, details: { field: 'level' } }, [{ log_index: null, field: 'level', message: '' }]],
    [{ ...refused, details: { log_index: 0 } }, [{ log_index: 0, field: '', message: '' }]],
    [{ ...refused, details: { limit: 50 } }, []],
    [{ ...refused, details: 'text' }, []],
    [{ ...refused, details: { errors: 'text' } }, []],
    [{ ...refused, details: { errors: [null, 1, 'a', [one]] } }, []],
    [
      { ...refused, details: { errors: [{ path: 'x', log_index: -1 }] } },
      [{ log_index: null, field: 'x', message: '' }]
    ],
    [{ ...refused, details: { errors: [{ log_index: '3' }] } }, [{ log_index: null, field: '', message: '' }]],
    [
      { error: { type: 'invalid', message: 'bad', code: 'VALIDATION_FAILED', param: 'actor.id' } },
      [{ log_index: null, field: 'actor.id', message: 'bad' }]
    ],
    [{ error: { message: 'bad', details: { errors: [one] }, param: 'x' } }, [one]],
    [{ error: 'Bad Request' }, []],
    [{ message: 'Bad Request' }, []]
  ]
  for (const [body, errors] of cases) t.match(verdict(400, body), { kind: 'refused', errors }, JSON.stringify(body))
  const many = verdict(400, { ...refused, details: { errors: Array.from({ length: 9000 }, () => one) } })
  t.equal(many.kind === 'refused' && many.errors.length, 5000)
  const said = verdict(400, { message: `\x1b[31mred\r\n\u202Eright\u0000 ${'long'.repeat(500)}` })
  t.match(said, { code: 'VALIDATION_FAILED', message: /^\[31mred right long/ })
  t.ok(said.kind === 'refused' && said.message.length <= 300)
})

t.test('what a browser is told', async t => {
  const faults = [{ log_index: 1, field: 'level', message: 'wrong' }]
  const rates = { 'x-ratelimit-limit': '120', 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '1790000000' }
  const from = answer(429, '', { contentType: 'text/html', retryAfter: '7', ...rates })
  const tell = (outcome: Verdict | UpstreamFault) => toHttpError(outcome, from, NOW)
  const table: [Verdict | UpstreamFault, Partial<HttpError>][] = [
    [
      { kind: 'key', status: 401 },
      { statusCode: 502, code: 'UPSTREAM_REJECTED_KEY' }
    ],
    [
      { kind: 'key', status: 403 },
      { statusCode: 502, code: 'UPSTREAM_REJECTED_KEY' }
    ],
    [
      { kind: 'rate', retryAfterMs: 6001 },
      { statusCode: 429, code: 'RATE_LIMIT_PLAN_EXCEEDED', retryAfter: 7, headers: rates }
    ],
    [{ kind: 'rate' }, { statusCode: 429, code: 'RATE_LIMIT_PLAN_EXCEEDED', retryAfter: 1, headers: rates }],
    [
      { kind: 'quota', untilMs: Date.UTC(2026, 11, 1) },
      { statusCode: 429, code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED', retryAfter: 7 * 86400 + 2 * 3600 }
    ],
    [{ kind: 'quota', untilMs: 0 }, { retryAfter: 1 }],
    [
      { kind: 'too-many', code: 'VALIDATION_BULK_LIMIT_EXCEEDED', message: 'inside', errors: [] },
      { statusCode: 400, code: 'VALIDATION_BULK_LIMIT_EXCEEDED' }
    ],
    [
      { kind: 'fault', reason: 'secret inside' },
      { statusCode: 502, code: 'UPSTREAM_ERROR' }
    ],
    [new UpstreamFault('broken', 'X', 'inside'), { statusCode: 502, code: 'UPSTREAM_ERROR' }],
    [new UpstreamFault('unreachable', 'X', 'inside'), { statusCode: 502, code: 'UPSTREAM_UNREACHABLE' }],
    [new UpstreamFault('timeout', 'X', 'inside'), { statusCode: 504, code: 'UPSTREAM_TIMEOUT' }]
  ]
  for (const [outcome, expected] of table) {
    const error = tell(outcome)
    t.ok(error instanceof HttpError)
    t.match(error, expected, outcome.kind)
    t.notMatch(error.message, /inside|401|403/)
  }
  for (const code of ['EMPTY_BODY', 'INVALID_JSON', 'FAILED', 'INVALID_ENVIRONMENT']) {
    const error = tell({ kind: 'refused', code: `VALIDATION_${code}`, message: 'its words', errors: faults })
    t.match(error, { code: `VALIDATION_${code}`, statusCode: 400 })
    t.strictSame(errorBody(error, 'id'), {
      error_code: `VALIDATION_${code}`,
      message: 'its words',
      request_id: 'id',
      details: { errors: faults }
    })
  }
  for (const code of [
    '',
    'VALIDATION_INVALID_REQUEST',
    'VALIDATION_INVALID_CONTENT_TYPE',
    'INTERNAL_ERROR',
    '__proto__'
  ]) {
    const error = tell({ kind: 'refused', code, message: '', errors: [] })
    t.match(error, { code: 'VALIDATION_FAILED', statusCode: 400, message: /entries/ }, code)
  }
  t.match(toHttpError({ kind: 'rate' }), { retryAfter: 1, headers: {} }, 'without the answer')
  t.throws(() => tell({ kind: 'delivered' }), TypeError)
})

t.test('what of a good answer passes', async t => {
  const body = Buffer.from('{"id":1}')
  const headers = { contentType: 'text/html', retryAfter: '1', 'x-ratelimit-limit': '5' }
  t.strictSame(passOn({ status: 201, headers, body }), {
    status: 201,
    headers: { 'content-type': 'application/json; charset=utf-8' },
    body
  })
  for (const nothing of ['', ' \r\n']) {
    const empty = passOn({ status: 204, headers, body: Buffer.from(nothing) })
    t.strictSame(empty, { status: 204, headers: {}, body: Buffer.alloc(0) }, 'white space is nothing')
  }
})
