import type { Test } from 'tap'
import type { Answer } from '../helper/proxy.js'

/** Whether an answer is an error as the interface says, whatever went wrong; `code` may be left to the caller. */
export function isError(t: Test, answer: Answer, status: number, code: string, why = ''): void {
  const { headers, body } = answer
  t.equal(answer.status, status, `${why} ${status}`)
  t.equal(body?.error_code, code, `${why} ${code}`)
  t.equal(headers.get('content-type'), 'application/json; charset=utf-8', `${why} JSON`)
  t.equal(headers.get('cache-control'), 'no-store', `${why} no-store`)
  t.equal(headers.get('x-content-type-options'), 'nosniff', `${why} nosniff`)
  t.match(headers.get('x-request-id'), /^[0-9a-f-]{36}$/, `${why} X-Request-Id`)
  t.equal(body?.request_id, headers.get('x-request-id'), `${why} request_id`)
  t.ok(typeof body?.message === 'string' && body.message.length > 0, `${why} message`)
  const known = ['error_code', 'message', 'request_id', 'details']
  t.ok(
    Object.keys(body ?? {}).every(name => known.includes(name)),
    `${why} nothing else`
  )
  if (status === 429 || status === 503) t.match(headers.get('retry-after'), /^[1-9]\d*$/, `${why} Retry-After`)
  else t.equal(headers.get('retry-after'), null, `${why} no Retry-After`)
  if (status === 429) {
    for (const name of ['limit', 'remaining', 'reset'])
      t.match(headers.get(`x-ratelimit-${name}`), /^\d+$/, `${why} ${name}`)
  }
  for (const name of [
    'set-cookie',
    'location',
    'server',
    'x-powered-by',
    'x-api-key',
    'via',
    'link',
    'www-authenticate'
  ]) {
    t.equal(headers.get(name), null, `${why} no ${name}`)
  }
}
