import fastify, { type FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { createErrorAnswer } from '../../src/app/error-answer.js'
import { direct } from '../../src/delivery/direct.js'
import type { UpstreamAnswer } from '../../src/logtrail/answer.js'
import { answer, refused, taken } from './upstream.js'

const HOUR = 3_600_000
const FIRST = Date.UTC(2026, 11, 1)
const SPENT = answer(429, { error_code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED' })

/** Direct delivery over a Logtrail that the test plays, and a date that it sets. Requests name their entries in a header. */
async function open(t: Test, now: number) {
  const clock = { now, jump: 0 }
  const upstream = { sent: 0, respond: (): UpstreamAnswer | Promise<UpstreamAnswer> => SPENT }
  const settled: boolean[] = []
  const app = fastify()
  t.teardown(() => app.close())
  app.setErrorHandler(
    createErrorAnswer(
      () => 5000,
      () => 0,
      () => clock.now + clock.jump
    )
  )
  await direct(app, {
    client: {
      requestable: {
        request(_options: unknown, done: (error: null, answer: object) => void) {
          upstream.sent++
          void Promise.resolve(upstream.respond()).then(said =>
            done(null, { statusCode: said.status, headers: {}, body: said })
          )
        }
      }
    },
    baseUrl: 'http://127.0.0.1:1/api',
    paths: { logs: '/logs', bulk: '/logs/bulk' },
    read: () => {},
    entries: ({ headers }: FastifyRequest) => (headers.filtered === undefined ? ['{}'] : []),
    positions: () => undefined,
    onSettled: (_request: unknown, delivered: boolean) => void settled.push(delivered),
    nothingToSend: (_request: unknown, reply: { code(status: number): { send(body: object): unknown } }) =>
      reply.code(201).send({ accepted: 1 }),
    clock: { now: () => clock.now, wall: () => clock.now + clock.jump }
  } as never)
  const post = async (headers = {}) => {
    const { statusCode, headers: said } = await app.inject({ method: 'POST', url: '/logs', headers, payload: {} })
    const { 'retry-after': wait, 'x-ratelimit-reset': reset } = said
    return statusCode === 429 ? { statusCode, wait: Number(wait), reset: Number(reset) } : { statusCode }
  }
  return { clock, upstream, settled, post }
}

t.test('a spent month is asked about by one request an hour, whatever browsers are told', async t => {
  const { clock, upstream, settled, post } = await open(t, FIRST - 100 * HOUR - 700)
  const told = () => ({ statusCode: 429, wait: Math.ceil((FIRST - clock.now) / 1000), reset: FIRST / 1000 })
  t.strictSame(await post(), told())
  for (const ms of [1, 399, HOUR - 401]) {
    clock.now += ms
    t.strictSame(await post(), told(), 'to the second')
  }
  t.equal(upstream.sent, 1)
  clock.now += 1
  let say = (_: UpstreamAnswer) => {}
  upstream.respond = () =>
    new Promise(resolve => {
      say = resolve
    })
  const asks = post()
  while (upstream.sent === 1) await new Promise(setImmediate)
  t.strictSame(await post(), told(), 'others do not wait for its answer')
  say(SPENT)
  t.strictSame(await asks, told())
  clock.now += HOUR - 1
  t.strictSame(await post(), told())
  t.equal(upstream.sent, 2)

  clock.now += 1
  upstream.respond = () => answer(503, '<html>')
  t.match(await post(), { statusCode: 502 })
  t.strictSame(await post(), told(), 'a fault says nothing of the month')
  clock.now += HOUR
  upstream.respond = () => taken()
  t.match(await post(), { statusCode: 201 })
  t.match(await post(), { statusCode: 201 }, 'the plan was raised')
  t.equal(upstream.sent, 5)
  t.equal(settled.filter(Boolean).length, 2)
  t.equal(settled.length, 11, 'each request is in the books')
})

t.test('a refusal of what asked says as much; what was under way before says nothing', async t => {
  const { clock, upstream, post } = await open(t, FIRST - 10 * HOUR)
  let say = (_: UpstreamAnswer) => {}
  upstream.respond = () =>
    new Promise(resolve => {
      say = resolve
    })
  const before = post()
  while (upstream.sent === 0) await new Promise(setImmediate)
  upstream.respond = () => SPENT
  t.match(await post(), { statusCode: 429 })
  say(taken())
  t.match(await before, { statusCode: 201 })
  t.match(await post(), { statusCode: 429 })
  t.equal(upstream.sent, 2)
  clock.now += HOUR
  upstream.respond = () => refused()
  t.match(await post(), { statusCode: 400 })
  upstream.respond = () => taken()
  t.match(await post(), { statusCode: 201 })
})

t.test('and on the 1st it is over', async t => {
  const { clock, upstream, post } = await open(t, FIRST - 500)
  t.strictSame(await post(), { statusCode: 429, wait: 1, reset: FIRST / 1000 })
  clock.now = FIRST
  upstream.respond = () => taken()
  t.match(await post(), { statusCode: 201 })
})

t.test("a 429 of the rate limit is never asked about before its Retry-After is over, a day's either", async t => {
  const { clock, upstream, post } = await open(t, FIRST)
  upstream.respond = () => answer(429, { error_code: 'RATE_LIMIT_PLAN_EXCEEDED' }, { retryAfter: '86400' })
  t.match(await post(), { statusCode: 429, wait: 86_400 })
  clock.now += 86_399_999
  t.match(await post(), { statusCode: 429, wait: 1 })
  t.equal(upstream.sent, 1)
  clock.now += 1
  upstream.respond = () => taken()
  t.match(await post(), { statusCode: 201 })
})

/** Sends a request that is answered when the test says so; of the others Logtrail takes what it is sent. */
async function hold({ upstream, post }: Pick<Awaited<ReturnType<typeof open>>, 'upstream' | 'post'>) {
  let say = (_: UpstreamAnswer) => {}
  upstream.respond = () =>
    new Promise(resolve => {
      say = resolve
    })
  const sent = upstream.sent
  const answered = post()
  while (upstream.sent === sent) await new Promise(setImmediate)
  upstream.respond = () => taken()
  return (said: UpstreamAnswer) => {
    say(said)
    return answered
  }
}

const rate = (retryAfter?: number) =>
  answer(
    429,
    { error_code: 'RATE_LIMIT_PLAN_EXCEEDED' },
    retryAfter === undefined ? {} : { retryAfter: `${retryAfter}` }
  )

t.test('of requests under way together a later 429 never shortens an earlier one, but lengthens it', async t => {
  const house = await open(t, FIRST)
  const { clock, upstream, post } = house
  const [first, second, third] = [await hold(house), await hold(house), await hold(house)]
  t.match(await first(rate(30)), { statusCode: 429, wait: 30 })
  t.match(await second(rate()), { statusCode: 429, wait: 1 }, 'with its own answer')
  clock.now += 1100
  t.match(await post(), { statusCode: 429, wait: 29 })
  t.match(await third(rate(40)), { statusCode: 429, wait: 40 })
  clock.now += 39_999
  t.match(await post(), { statusCode: 429, wait: 1 })
  t.equal(upstream.sent, 3)
})

t.test('a spent month outlasts a 429 of the rate limit, and is asked about no sooner than that is over', async t => {
  const house = await open(t, FIRST - 100 * HOUR)
  const { clock, upstream, post } = house
  const [first, second, third] = [await hold(house), await hold(house), await hold(house)]
  const spent = () => ({ statusCode: 429, wait: (FIRST - clock.now) / 1000, reset: FIRST / 1000 })
  await first(SPENT)
  await second(rate(1))
  clock.now += 1000
  t.strictSame(await post(), spent())
  await third(rate(7200))
  clock.now += 2 * HOUR - 1000
  t.strictSame(await post(), spent(), 'after an hour it would only lengthen that')
  t.equal(upstream.sent, 3)
  clock.now += 1000

  const asks = await hold(house)
  t.match(await asks(rate(60)), { statusCode: 429, wait: 60 })
  t.strictSame(await post(), spent(), 'which says nothing of the month')
  clock.now += 60_000
  const again = await hold(house)
  t.match(await again(taken()), { statusCode: 201 }, 'and is asked again when it can be answered')
  t.match(await post(), { statusCode: 201 })
})

t.test('a date that is set while a 429 lasts changes nothing of a Retry-After', async t => {
  for (const jump of [-HOUR, HOUR]) {
    const { clock, upstream, post } = await open(t, FIRST)
    upstream.respond = () => rate(2)
    t.match(await post(), { statusCode: 429, wait: 2 })
    clock.jump = jump
    t.match(await post(), { statusCode: 429, wait: 2, reset: (FIRST + jump) / 1000 + 2 })
    clock.now += 2000
    upstream.respond = () => taken()
    t.match(await post(), { statusCode: 201 })
  }
})

t.test('and a month ends by the date, but is asked about in an hour all the same', async t => {
  const { clock, upstream, post } = await open(t, FIRST - 2 * HOUR)
  t.match(await post(), { wait: 7200 })
  clock.jump = -HOUR
  t.strictSame(await post(), { statusCode: 429, wait: 3 * 3600, reset: FIRST / 1000 })
  clock.now += HOUR
  t.strictSame(await post(), { statusCode: 429, wait: 2 * 3600, reset: FIRST / 1000 })
  t.equal(upstream.sent, 2)
  clock.jump = HOUR
  upstream.respond = () => taken()
  t.match(await post(), { statusCode: 201 })
})

t.test('a request whose entries were all filtered needs nothing of Logtrail', async t => {
  const { upstream, post } = await open(t, FIRST)
  t.match(await post(), { statusCode: 429 })
  t.match(await post({ filtered: '1' }), { statusCode: 201 })
  t.equal(upstream.sent, 1)
})
