import { Redis } from 'ioredis'
import t, { type Test } from 'tap'
import { COUNT_SCRIPT } from '../../src/guard/shared-counts.js'
import { startBalancer } from '../helper/balancer.js'
import { type Answer, entry, type Program, sign, startProxy } from '../helper/proxy.js'
import { raw, statuses } from '../helper/raw.js'
import { startRedis } from '../helper/redis.js'
import { until } from '../outbox/until.js'

const redis = await startRedis()
if (!redis) t.plan(0, 'needs redis-server')
else {
  t.teardown(() => redis.stop())
  const replicas = async (t: Test, env: Record<string, string>): Promise<Program[]> => {
    const all = { REDIS_URL: redis.url, DELIVERY: 'pooled', ...env }
    const first = await startProxy(t, { env: all })
    const same = { ...all, LOGTRAIL_API_KEY: first.logtrail.key, LOGTRAIL_URL: first.logtrail.url }
    const programs = [first, await startProxy(t, { env: same }), await startProxy(t, { env: same })]
    await Promise.all(programs.map(program => connected(program)))
    return programs
  }
  /** Redis was late for once, on a machine that is busy: each replica counts for itself, and what is counted is not theirs. */
  class Late extends Error {}
  const fallen = (programs: readonly Program[]) =>
    programs.flatMap(({ lines }) => lines.filter(line => line.includes('for itself'))).length
  const heed = (programs: readonly Program[]): void => {
    if (fallen(programs) > 0) throw new Late('Redis was late')
  }
  /** The same programs, whose answers are not looked at where Redis was late. */
  const heeded = async (t: Test, env: Record<string, string>): Promise<Program[]> => {
    const programs = await replicas(t, env)
    const after = async (answer: Promise<Answer>): Promise<Answer> => {
      const come = await answer
      heed(programs)
      return come
    }
    return programs.map(program => ({
      ...program,
      post: (...asked) => after(program.post(...asked)),
      get: path => after(program.get(path))
    }))
  }
  /** A test that begins anew where Redis was late. */
  const counted = (name: string, body: (t: Test) => Promise<void>): unknown =>
    t.test(name, async t => {
      for (let attempt = 1; ; attempt++) {
        try {
          return await body(t)
        } catch (error) {
          if (!(error instanceof Late) || attempt === 5) throw error
          t.comment('Redis was late: once more')
          await client.flushall()
        }
      }
    })
  const connected = async (program: Program): Promise<void> => {
    await until(async () => (await program.get('/readyz')).body.checks.redis.ok)
  }
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  t.beforeEach(() => client.flushall())

  counted("three replicas: a user's limit is one limit", async t => {
    const programs = await heeded(t, { RATE_LIMIT_MAX: '6' })
    const answers = []
    for (let n = 0; n < 9; n++) answers.push(await programs[n % 3]!.post(entry()))
    t.same(
      answers.map(({ status }) => status),
      [201, 201, 201, 201, 201, 201, 429, 429, 429]
    )
    t.equal(answers[3]!.headers.get('x-ratelimit-remaining'), '2', 'the shared count is told')
    t.equal(answers[6]!.body.error_code, 'RATE_LIMIT_USER_EXCEEDED')
    t.ok(Number(answers[6]!.headers.get('retry-after')) >= 1)
    t.equal((await programs[0]!.post(entry(), { user: 'grace' })).status, 201, 'of one user alone')
  })

  t.test('behind one address, all at once: as many pass as the limit allows, not one more or less', async t => {
    const programs = await replicas(t, { RATE_LIMIT_MAX: '40', RATE_LIMIT_LOGS_MAX: '100', RATE_LIMIT_IP_MAX: '0' })
    const url = await startBalancer(
      t,
      programs.map(program => program.url)
    )
    const crowd = (user: string, body: unknown) =>
      Promise.all(
        Array.from({ length: 120 }, async () => {
          const answer = await fetch(`${url}/logtrail/logs/bulk`, {
            method: 'POST',
            headers: {
              'content-type': 'application/json',
              'sec-fetch-site': 'same-origin',
              cookie: `session=${sign({ sub: user })}`
            },
            body: JSON.stringify(body)
          })
          const { error_code } = (await answer.json()) as { error_code?: string }
          return error_code ?? String(answer.status)
        })
      )
    /** Redis may be slow on a machine that is busy: what is counted by each replica for itself meanwhile is another test's. */
    const together = async (name: string, body: unknown): Promise<string[]> => {
      for (let attempt = 0; ; attempt++) {
        const before = fallen(programs)
        const answers = await crowd(`${name}-${attempt}`, body)
        if (fallen(programs) === before || attempt === 9) return answers
      }
    }
    const count = (answers: string[], what: string) => answers.filter(answer => answer === what).length
    const singles = await together('ada', [entry()])
    t.same([count(singles, '201'), count(singles, 'RATE_LIMIT_USER_EXCEEDED')], [40, 80])
    const nine = Array.from({ length: 9 }, () => entry())
    const bulks = await together('grace', nine)
    t.equal(count(bulks, '201'), 11, '99 of 100 entries')
    t.equal(count(bulks, 'RATE_LIMIT_LOGS_EXCEEDED'), 29)
    t.equal(count(bulks, 'RATE_LIMIT_USER_EXCEEDED'), 80)
    const seen = programs.map(({ lines }) => lines.filter(line => line.includes('"route":"/logs/bulk"')).length)
    t.ok(
      seen.every(one => one > 0),
      `each replica had its part: ${seen}`
    )
  })

  counted('entries and addresses likewise', async t => {
    const programs = await heeded(t, { RATE_LIMIT_LOGS_MAX: '5', RATE_LIMIT_IP_MAX: '6' })
    const bulk = (n: number) => programs[n]!.post([entry(), entry()], { path: '/logtrail/logs/bulk' })
    t.equal((await bulk(0)).status, 201)
    t.equal((await bulk(1)).status, 201)
    const refused = await bulk(2)
    t.equal(refused.body.error_code, 'RATE_LIMIT_LOGS_EXCEEDED')
    t.equal(refused.headers.get('x-ratelimit-remaining'), '1', 'a refused request takes nothing')
    t.equal((await programs[2]!.post(entry())).status, 201)
    // refused before its entries were known, but counted: the sixth of this address is one of another user
    t.equal((await programs[0]!.post(entry(), { user: null })).status, 401)
    t.equal((await programs[1]!.post(entry(), { user: 'grace' })).status, 201)
    const over = await programs[2]!.post(entry(), { user: 'hedy' })
    t.equal(over.body.error_code, 'RATE_LIMIT_IP_EXCEEDED')
  })

  counted('what is refused or served before its sender is asked about takes nothing of what may be logged', async t => {
    const env = { RATE_LIMIT_ANONYMOUS_MAX: '2', ANONYMOUS: 'allow', ALLOWED_ORIGINS: 'https://app.example' }
    const [program] = await heeded(t, env)
    const { get, post } = program!
    const page = { origin: 'https://app.example', 'sec-fetch-site': 'cross-site' }
    for (let n = 0; n < 3; n++) {
      t.match((await get('/logtrail/client.js')).status, /200|404/)
      t.equal((await get('/logtrail/nothing')).status, 404)
      t.equal((await post(undefined, { method: 'OPTIONS', headers: page })).status, 204)
      t.equal((await post(entry(), { user: null, headers: { 'sec-fetch-site': 'cross-site' } })).status, 403)
      t.equal((await post(entry(), { headers: { cookie: 'session=x' } })).status, 401)
    }
    const answers = []
    for (let n = 0; n < 3; n++) answers.push((await post(entry(), { user: null })).status)
    t.same(answers, [201, 201, 429])
  })

  counted("a user's refused requests are one count too", async t => {
    const programs = await heeded(t, { RATE_LIMIT_MAX: '4' })
    const answers = []
    for (let n = 0; n < 8; n++) {
      const what = n % 2 === 0 ? { body: 'bad', headers: {} } : { body: '{}', headers: { 'content-type': 'text/html' } }
      answers.push(await programs[n % 3]!.post(what.body, what))
    }
    t.same(
      answers.map(({ status }) => status),
      [400, 415, 400, 415, 429, 429, 429, 429]
    )
    isSpent(t, answers[4]!, 'RATE_LIMIT_USER_EXCEEDED')
  })

  counted("an address's refused requests likewise, to the last one", async t => {
    const programs = await heeded(t, { RATE_LIMIT_IP_MAX: '4' })
    const answers = []
    for (let n = 0; n < 8; n++) answers.push(await programs[n % 3]!.get('/logtrail/nothing'))
    t.same(
      answers.map(({ status }) => status),
      [404, 404, 404, 404, 429, 429, 429, 429]
    )
    isSpent(t, answers[4]!, 'RATE_LIMIT_IP_EXCEEDED')
    t.equal((await programs[0]!.post(entry())).body.error_code, 'RATE_LIMIT_IP_EXCEEDED')

    await client.flushall()
    const others = await heeded(t, { RATE_LIMIT_IP_MAX: '4' })
    const connects = []
    for (let n = 0; n < 5; n++) {
      connects.push(await raw(others[n % 3]!.url, 'CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n'))
    }
    heed(others)
    t.same(connects.flatMap(statuses), [405, 405, 405, 405, 429])
  })

  t.test('the script counts entries of a request that is within its limits, and of no other', async t => {
    const keys = ['address', 'requests', 'entries']
    const run = async (address: number, requests: number): Promise<number[]> => {
      const said = await client.eval(COUNT_SCRIPT, keys.length, ...keys, 60_000, address, requests, 10, 3)
      const [counted, , asked, , entries, , taken] = said as number[]
      return [counted!, asked!, entries!, taken!]
    }
    t.same(await run(2, 2), [1, 1, 3, 1])
    t.same(await run(1, 9), [2, 2, 0, 1], 'over that of its address')
    t.same(await run(9, 2), [3, 3, 0, 1], 'over that of its user')
    t.equal(await client.get('entries'), '3')
    t.same(await run(9, 9), [4, 4, 6, 1])
    t.same(await run(0, 0), [0, 0, 9, 1], 'limits that are off refuse nobody')
    t.same(await run(9, 9), [5, 5, 9, 0], 'and no more than the limit')
    t.equal(await client.get('entries'), '9')
  })

  /** The windows of Redis end; those that the replicas count for themselves go on. */
  const windowsEnd = () => client.flushall()

  counted('who waited out its Retry-After is let in, where its first window at this replica was half over', async t => {
    const [a, b] = await heeded(t, { RATE_LIMIT_LOGS_MAX: '100' })
    const bulk = (program: Program, n: number) =>
      program.post(
        Array.from({ length: n }, () => entry()),
        { path: '/logtrail/logs/bulk' }
      )
    t.equal((await bulk(a!, 90)).status, 201)
    const refused = await bulk(b!, 60)
    t.match(refused, { status: 429, body: { error_code: 'RATE_LIMIT_LOGS_EXCEEDED' } })
    t.equal(refused.headers.get('x-ratelimit-remaining'), '10')
    await windowsEnd()
    t.equal((await bulk(b!, 60)).status, 201)
    await windowsEnd()
    t.equal((await bulk(b!, 60)).status, 201, 'nor does what was let in last refuse')
  })

  counted('likewise who sent requests all at once', async t => {
    for (const [name, more] of [
      ['RATE_LIMIT_MAX', {}],
      ['RATE_LIMIT_IP_MAX', {}],
      ['RATE_LIMIT_ANONYMOUS_MAX', { ANONYMOUS: 'allow' }]
    ] as const) {
      const [program] = await heeded(t, { [name]: '10', ...more })
      const user = 'ANONYMOUS' in more ? null : 'ada'
      const burst = async () => {
        const answers = await Promise.all(Array.from({ length: 9 }, () => program!.post(entry(), { user })))
        return answers.map(({ status }) => status)
      }
      t.same(await burst(), Array(9).fill(201), name)
      await windowsEnd()
      t.same(await burst(), Array(9).fill(201), 'the tenth to the eighteenth by its own count')
      await client.flushall()
    }
  })

  counted('an answer tells what all together have left, a refusal too', async t => {
    const [a, b] = await heeded(t, { RATE_LIMIT_MAX: '10' })
    for (let n = 0; n < 6; n++) await a!.post(entry())
    t.equal((await b!.post(entry())).headers.get('x-ratelimit-remaining'), '3')
    const bad = await b!.post({})
    t.equal(bad.status, 400)
    t.equal(bad.headers.get('x-ratelimit-remaining'), '2')
    t.equal(bad.headers.get('x-ratelimit-limit'), '10')
    const foreign = await b!.post(entry(), { headers: { 'sec-fetch-site': 'cross-site' } })
    t.equal(foreign.status, 403)
    t.equal(foreign.headers.get('x-ratelimit-remaining'), null, 'of a sender that was not counted nothing')
  })

  counted('a clock of Redis that is set back lengthens no window', async t => {
    const [program] = await heeded(t, { RATE_LIMIT_LOGS_MAX: '2', RATE_LIMIT_WINDOW: '10s' })
    t.equal((await program!.post(entry())).status, 201)
    const keys = await client.keys('logtrail-bff:limit:*')
    t.equal(keys.length, 3)
    const setBack = () => Promise.all(keys.map(key => client.pexpire(key, 3_600_000)))
    const longest = async () => Math.max(...(await Promise.all(keys.map(key => client.pttl(key)))))
    await setBack()
    t.equal((await program!.post(entry())).status, 201)
    t.ok((await longest()) <= 10_000)
    await setBack()
    const refused = await program!.post(entry())
    t.equal(refused.status, 429)
    t.ok(Number(refused.headers.get('retry-after')) <= 10)
    t.ok((await longest()) <= 10_000)
  })

  counted('no user id is ever in Redis', async t => {
    const [program] = await heeded(t, {})
    await program!.post(entry(), { user: 'ada@example.org' })
    t.notMatch((await client.keys('*')).join(), /ada/)
    t.ok((await client.keys('logtrail-bff:limit:*')).length >= 3)
  })

  t.test('Redis stands still, then is gone, then is back: each counts for itself meanwhile', async t => {
    const [program] = await replicas(t, { RATE_LIMIT_MAX: '1000' })
    redis.pause()
    const before = performance.now()
    t.equal((await program!.post(entry())).status, 201)
    t.ok(performance.now() - before < 2000, 'within a bounded time')
    const quick = performance.now()
    for (let n = 0; n < 20; n++) t.equal((await program!.post(entry())).status, 201)
    t.ok(performance.now() - quick < 4000, 'and then without waiting each time')
    redis.resume()
    await redis.stop()
    t.equal((await program!.post(entry())).status, 201)
    const said = program!.lines.flatMap(line => /counted (?:by each replica|over all replicas)/.exec(line)?.[0] ?? [])
    t.equal(said.at(-1), 'counted by each replica')
    t.ok(
      said.every((one, n) => one !== said[n - 1]),
      'said once, until it is over'
    )
    await redis.start()
    await connected(program!)
    await until(async () => {
      t.equal((await program!.post(entry())).status, 201)
      return program!.lines.some(line => line.includes('counted over all replicas again'))
    })
    t.match(program!.lines.join(''), /Redis is back/)
  })
}

function isSpent(t: Test, { body, headers }: Answer, code: string): void {
  t.match(body, { error_code: code })
  t.equal(headers.get('x-ratelimit-limit'), '4')
  t.equal(headers.get('x-ratelimit-remaining'), '0')
  t.ok(Number(headers.get('retry-after')) >= 1)
}
