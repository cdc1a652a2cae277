/** A refusal that waits to be counted over all replicas, where the count or the request comes to nothing meanwhile. */
import type { FastifyRequest } from 'fastify'
import t from 'tap'
import { createCountedAnswer } from '../../src/app/counted-answer.js'
import { type ErrorCode, HttpError } from '../../src/errors.js'
import type { Exceeded, Limits } from '../../src/guard/limits.js'

const OVER: Exceeded = {
  limit: 4,
  remaining: 0,
  reset: 1_700_000_060,
  retryAfter: 60,
  exceeded: true,
  code: 'RATE_LIMIT_USER_EXCEEDED'
}

function setUp(uncounted?: Limits['uncounted']) {
  const answered: string[] = []
  const limits = { uncounted } as Limits
  const answer = createCountedAnswer(limits, error => void answered.push((error as HttpError).code))
  const request = { visit: { caller: {}, asked: true, counted: false } } as FastifyRequest
  const headers: object[] = []
  const reply = { sent: false, headers: (more: object) => void headers.push(more) }
  return { answered, headers, request, reply, answer: (error: Error) => answer(error, request, reply as never) }
}

t.test('over a limit by the count: 429; else as it is', async t => {
  for (const [said, code] of [
    [OVER, 'RATE_LIMIT_USER_EXCEEDED'],
    [null, 'VALIDATION_FAILED']
  ] as const) {
    const { answered, request, answer } = setUp(async () => said)
    answer(new HttpError('VALIDATION_FAILED'))
    t.same(answered, [])
    t.equal(request.visit.counted, true)
    await new Promise(setImmediate)
    t.same(answered, [code])
  }
})

t.test('with where its caller stands with requests, as far as that is known by the count', async t => {
  const { code: _, ...within } = { ...OVER, remaining: 3, exceeded: false }
  const { answered, headers, answer } = setUp(async () => within)
  answer(new HttpError('VALIDATION_FAILED'))
  await new Promise(setImmediate)
  t.same(answered, ['VALIDATION_FAILED'])
  t.same(headers, [{ 'x-ratelimit-limit': 4, 'x-ratelimit-remaining': 3, 'x-ratelimit-reset': 1_700_000_060 }])
})

t.test('a request that was given up meanwhile is not answered twice', async t => {
  const { answered, reply, answer } = setUp(async () => OVER)
  answer(new HttpError('VALIDATION_FAILED'))
  reply.sent = true
  await new Promise(setImmediate)
  t.same(answered, [])
})

t.test('answered at once: where nobody counts, what is no refusal, and what is counted already', async t => {
  const never = async () => t.fail('asked')
  const at = (code: ErrorCode, uncounted: unknown = never, counted = false) => {
    const { answered, request, answer } = setUp(uncounted as Limits['uncounted'])
    request.visit.counted = counted
    answer(new HttpError(code))
    t.same(answered, [code])
    t.equal(request.visit.counted, counted)
  }
  at('VALIDATION_FAILED', null)
  at('VALIDATION_FAILED', () => undefined)
  at('VALIDATION_FAILED', never, true)
  at('RATE_LIMIT_IP_EXCEEDED')
  at('SHUTTING_DOWN')
  const { answered, answer } = setUp(never as never)
  answer(Object.assign(new Error('broken'), { code: 'EBROKEN' }))
  t.same(answered, ['EBROKEN'])
})
