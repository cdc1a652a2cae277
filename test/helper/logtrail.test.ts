import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import {
  EVERY_FAULT,
  type Fault,
  fingerprint,
  type LogtrailOptions,
  makeKey,
  startLogtrail
} from './logtrail/logtrail.js'

const AT = '2026-11-23T12:00:00.000Z'
const entry = (more: object = {}) => ({ action: 'cart.paid', level: 'info', clientTimestamp: AT, ...more })
const nested = (levels: number): object => (levels === 1 ? {} : { in: nested(levels - 1) })

async function start(t: Test, options?: LogtrailOptions) {
  const logtrail = await startLogtrail(options)
  t.teardown(() => logtrail.close())
  async function ask(path: string, body?: unknown, init: RequestInit & { key?: string | null } = {}) {
    const { key = logtrail.key, ...rest } = init
    const response = await fetch(logtrail.url + path, {
      method: body === undefined ? 'GET' : 'POST',
      redirect: 'manual',
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      ...rest,
      headers: { 'content-type': 'application/json', ...(key && { 'x-api-key': key }), ...rest.headers }
    })
    const text = await response.text()
    // biome-ignore lint/suspicious/noExplicitAny: whatever was answered
    let json: any
    try {
      json = JSON.parse(text)
    } catch {}
    return { status: response.status, headers: response.headers, text, json }
  }
  return { logtrail, ask }
}

t.test('keys: one that is known, may write, and was not revoked', async t => {
  const keys = [makeKey(), makeKey('staging', 'ro'), makeKey('production', 'rw')]
  const [wo, ro, rw] = keys
  const { logtrail, ask } = await start(t, { keys })
  t.equal((await ask('/logs', entry())).status, 201)
  t.equal((await ask('/logs', entry(), { key: null, headers: { authorization: `ApiKey ${wo}` } })).status, 201)
  t.match(await ask('/logs', entry(), { key: null }), { status: 401, json: { error_code: 'AUTH_MISSING_API_KEY' } })
  t.match(await ask('/logs', entry(), { key: makeKey() }), {
    status: 401,
    json: { error_code: 'AUTH_INVALID_API_KEY' }
  })
  t.match(await ask('/logs', entry(), { key: ro! }), {
    status: 403,
    json: { error_code: 'AUTH_API_KEY_SCOPE_MISMATCH' }
  })
  for (const path of ['/logs', '/info', '/usage', '/logs/1b2c']) {
    t.equal((await ask(path)).status, 403, `${path} with a wo key`)
    t.equal((await ask(path, undefined, { key: rw! })).status, 200, `${path} with a rw key`)
    t.equal((await ask(path, undefined, { key: ro! })).status, 200, `${path} with a ro key`)
  }
  t.match((await ask('/logs/query', {}, { key: ro! })).json, { data: [entry(), entry()] })
  t.equal((await ask('/elsewhere')).status, 404)
  logtrail.revokeKey(wo!)
  t.match(await ask('/logs', entry()), { status: 401, json: { error_code: 'AUTH_INVALID_API_KEY' } })
  logtrail.addKey(wo!)
  t.equal((await ask('/logs', entry())).status, 201)
  t.equal(logtrail.stored().length, 3)
  t.ok(logtrail.requests.some(r => r.method === 'GET' && r.url.endsWith('/info') && r.rawHeaders.includes(wo!)))
})

t.test('a single entry: every fault has its field', async t => {
  const { logtrail, ask } = await start(t, { plan: 'free' })
  const cases: [unknown, string, string?][] = [
    [{ ...entry(), action: undefined }, 'VALIDATION_FAILED', 'action'],
    [entry({ level: 'loud' }), 'VALIDATION_FAILED', 'level'],
    [entry({ clientTimestamp: 'yesterday' }), 'VALIDATION_FAILED', 'clientTimestamp'],
    [entry({ clientTimestamp: '2026-02-31T99:00:00Z' }), 'VALIDATION_FAILED', 'clientTimestamp'],
    [entry({ message: 1 }), 'VALIDATION_FAILED', 'message'],
    [entry({ environment: 'moon' }), 'VALIDATION_FAILED', 'environment'],
    [entry({ environment: 'production' }), 'VALIDATION_INVALID_ENVIRONMENT', 'environment'],
    [entry({ actor: [] }), 'VALIDATION_FAILED', 'actor'],
    [entry({ target: null }), 'VALIDATION_FAILED', 'target'],
    [entry({ metadata: nested(4) }), 'VALIDATION_FAILED', 'metadata'],
    [entry({ context: { a: [{}] } }), undefined as never],
    [entry({ context: { a: [[[]]] } }), 'VALIDATION_FAILED', 'context'],
    [entry({ tags: ['a', 'b', 'c', 'd', 'e', 'f'] }), 'VALIDATION_FAILED', 'tags'],
    [entry({ tags: [1] }), 'VALIDATION_FAILED', 'tags'],
    [entry({ message: 'é'.repeat(400) }), 'VALIDATION_FAILED', ''],
    ['{', 'VALIDATION_INVALID_JSON'],
    ['', 'VALIDATION_EMPTY_BODY'],
    [[entry()], 'VALIDATION_INVALID_REQUEST'],
    ['1', 'VALIDATION_FAILED', '']
  ]
  let good = 0
  for (const [body, code, field] of cases) {
    const { status, json } = await ask('/logs', body)
    if (code === undefined) {
      t.equal(status, 201)
      good++
      continue
    }
    t.equal(status, 400)
    t.equal(json.error_code, code, JSON.stringify(body).slice(0, 80))
    if (field !== undefined) t.match(json.details.errors, [{ log_index: null, field }])
  }
  t.match((await ask('/logs', entry(), { headers: { 'content-type': 'text/plain' } })).json, {
    error_code: 'VALIDATION_INVALID_CONTENT_TYPE'
  })
  t.equal(logtrail.stored().length, good, 'nothing refused was stored')
})

t.test('a bulk is taken whole or not at all, and each entry counts its own bytes', async t => {
  const { logtrail, ask } = await start(t, { plan: 'free' })
  const raws = [
    ' {"action":"a","level":"info" , "clientTimestamp":"2026-11-23T12:00:00Z","message":"],[\\"{" }',
    JSON.stringify(entry())
  ]
  t.equal((await ask('/logs/bulk', `[${raws.join(' , ')}]`)).status, 201)
  t.same(
    logtrail.stored().map(s => [s.raw, s.index, s.request]),
    [
      [raws[0]!.trim(), 0, 1],
      [raws[1], 1, 1]
    ]
  )
  t.match(await ask('/logs/bulk', [entry(), entry({ level: 1 }), 7]), {
    status: 400,
    json: {
      details: {
        errors: [
          { log_index: 1, field: 'level' },
          { log_index: 2, field: '' }
        ]
      }
    }
  })
  t.match(await ask('/logs/bulk', Array(51).fill(entry())), { json: { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED' } })
  t.match(await ask('/logs/bulk', []), { json: { error_code: 'VALIDATION_EMPTY_BODY' } })
  t.match(await ask('/logs/bulk', entry()), { json: { error_code: 'VALIDATION_INVALID_REQUEST' } })
  t.match(await ask('/logs/validate', [entry(), entry({ level: 1 })]), {
    status: 200,
    json: { valid: false, errors: [{ log_index: 1 }] }
  })
  t.equal(logtrail.stored().length, 2)
  logtrail.switches.refuse = e => (e.action === 'bad' ? { field: 'action', message: 'no' } : undefined)
  t.match((await ask('/logs/bulk', [entry(), entry({ action: 'bad' })])).json, {
    details: { errors: [{ log_index: 1 }] }
  })
  logtrail.switches.tellWhich = false
  t.notOk((await ask('/logs', entry({ action: 'bad' }))).json.details)
  logtrail.switches.answer = 'empty'
  t.match(await ask('/logs', entry()), { status: 201, text: '' })
})

t.test('the token bucket follows the plan and the clock', async t => {
  let time = Date.parse(AT)
  const { ask } = await start(t, { limits: { requestsPerMinute: 2 }, now: () => time })
  const first = await ask('/logs', entry())
  t.equal(first.headers.get('x-ratelimit-limit'), '2')
  t.equal(first.headers.get('x-ratelimit-remaining'), '1')
  t.equal(first.headers.get('x-ratelimit-reset'), String(time / 1000 + 30))
  t.equal((await ask('/logs', entry({ level: 1 }))).status, 400, 'a refused one costs a token too')
  const limited = await ask('/logs', entry())
  t.match(limited, { status: 429, json: { error_code: 'RATE_LIMIT_PLAN_EXCEEDED' } })
  t.equal(limited.headers.get('retry-after'), '30')
  time += 30_000
  t.equal((await ask('/logs', entry())).status, 201)
  t.equal((await ask('/logs', entry())).status, 429)
  for (let i = 0; i < 60; i++) await ask('/logs/validate', entry())
  t.match((await ask('/logs/validate', entry())).json, { error_code: 'RATE_LIMIT_VALIDATE_EXCEEDED' })
})

t.test('the quota of a month, in both spellings and both forms of error', async t => {
  let time = Date.parse(AT)
  const { logtrail, ask } = await start(t, { limits: { logsPerMonth: 3 }, now: () => time, quotaRetryAfter: 60 })
  logtrail.usedThisMonth = 1
  t.equal((await ask('/logs/bulk', [entry(), entry()])).status, 201)
  t.equal(logtrail.usedThisMonth, 3)
  const spent = await ask('/logs', entry())
  t.match(spent, { status: 429, json: { error_code: 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED' } })
  t.equal(spent.headers.get('retry-after'), '60')
  Object.assign(logtrail.switches, {
    quotaCode: 'monthly_log_limit_exceeded',
    errorForm: 'other',
    quotaRetryAfter: undefined
  })
  const other = await ask('/logs', entry())
  t.match(other.json, { error: { type: 'rate_limit_error', code: 'monthly_log_limit_exceeded', param: null } })
  t.equal(other.headers.get('retry-after'), null)
  t.match((await ask('/logs', entry({ level: 1 }))).json, { error: { type: 'invalid_request_error', param: 'level' } })
  time = Date.parse('2026-12-01T00:00:00Z')
  t.equal((await ask('/logs', entry())).status, 201)
})

t.test('every fault does what it is named for', async t => {
  const { logtrail, ask } = await start(t)
  const cases: [Fault, string | number, number][] = [
    [{ kind: 'reset-before' }, 'fails', 0],
    [{ kind: 'reset-within' }, 'fails', 0],
    [{ kind: 'reset-after' }, 'fails', 0],
    [{ kind: 'store-silent' }, 'waits', 1],
    [{ kind: 'store-reset' }, 'fails', 1],
    [{ kind: 'store-cut' }, 'fails', 1],
    [{ kind: 'hang' }, 'waits', 0],
    [{ kind: 'status', status: 500 }, 500, 0],
    [{ kind: 'status', status: 500, store: true }, 500, 1],
    [{ kind: 'status', status: 502, body: 'html' }, 502, 0],
    [{ kind: 'status', status: 504, body: 'empty' }, 504, 0],
    [{ kind: 'status', status: 429, retryAfter: 7 }, 429, 0],
    [{ kind: 'status', status: 408 }, 408, 0],
    [{ kind: 'status', status: 403 }, 403, 0],
    [{ kind: 'drip', everyMs: 1 }, 201, 1],
    [{ kind: 'garbage' }, 'fails', 0],
    [{ kind: 'redirect' }, 307, 0],
    [{ kind: 'not-found' }, 404, 0],
    [{ kind: 'portal' }, 200, 0],
    [{ kind: 'echo-key' }, 201, 1],
    [{ kind: 'huge', bytes: 100_000 }, 201, 1]
  ]
  for (const [fault, outcome, stored] of cases) {
    logtrail.reset()
    logtrail.faults.push(fault)
    const name = JSON.stringify(fault)
    if (outcome === 'fails') {
      await t.rejects(ask('/logs', entry()), name)
    } else if (outcome === 'waits') {
      const abort = new AbortController()
      const asked = ask('/logs', entry(), { signal: abort.signal })
      await logtrail.waitFor(l => l.requests[0]?.body !== undefined && l.stored().length === stored)
      abort.abort()
      await t.rejects(asked, { name: 'AbortError' }, name)
    } else {
      const answer = await ask('/logs', entry())
      t.equal(answer.status, outcome, name)
      if (fault.kind === 'echo-key') {
        t.match(answer.text, logtrail.key)
        t.match(answer.headers.get('set-cookie'), logtrail.key)
      }
      if (fault.kind === 'status' && fault.retryAfter) t.equal(answer.headers.get('retry-after'), '7')
      if (fault.kind === 'huge') t.ok(answer.text.length > 100_000)
    }
    t.equal(logtrail.stored().length, stored, `${name} stores ${stored}`)
    t.equal(logtrail.requests[0]!.fault, fault.kind)
  }
  logtrail.faults.push({ kind: 'echo-key' })
  t.equal((await ask('/logs', entry({ level: 1 }))).status, 400, 'an entry that is not valid is never stored')
  logtrail.faults.always({ kind: 'not-found' })
  logtrail.faults.push(null)
  t.equal((await ask('/logs', entry())).status, 201, 'null lets one through')
  t.equal((await ask('/logs', entry())).status, 404)
})

t.test('a mix is the same for the same seed', async t => {
  const run = async (seed: number) => {
    const of = EVERY_FAULT.filter(f => f.kind === 'status')
    const { logtrail, ask } = await start(t, { faultMix: { seed, share: 0.5, of } })
    for (let i = 0; i < 40; i++) await ask('/logs', entry())
    return logtrail.requests.map(r => r.status)
  }
  const first = await run(7)
  t.same(await run(7), first)
  t.notSame(await run(8), first)
  t.ok(first.includes(201) && first.some(s => s !== 201))
})

t.test('down refuses, up is there again, deaf never answers', async t => {
  const { logtrail, ask } = await start(t)
  await logtrail.down()
  await t.rejects(ask('/logs', entry()))
  await logtrail.up()
  t.equal((await ask('/logs', entry())).status, 201)
  logtrail.deaf(true)
  const socket = connect(logtrail.port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  logtrail.deaf(false)
  const [chunk] = await once(socket, 'data')
  t.match(String(chunk), /^HTTP\/1\.1 200/)
  socket.destroy()
})

t.test('latency, ids alone, and a wait that is in vain', async t => {
  const { logtrail, ask } = await start(t, { latencyMs: 20, keep: 'ids' })
  const began = performance.now()
  await ask('/logs/bulk', [entry({ metadata: { id: 1 } }), entry({ metadata: { id: 2 } })])
  await ask('/logs', entry({ metadata: { id: 1 } }))
  t.ok(performance.now() - began >= 38)
  t.same(
    [...logtrail.ids],
    [
      ['1', 2],
      ['2', 1]
    ]
  )
  t.equal(logtrail.stored().length, 0)
  t.equal(logtrail.requests.length, 0)
  t.match(logtrail.stats, { requests: 2, entries: 3, answers: { 201: 2 } })
  await t.rejects(
    logtrail.waitFor(() => false, 5),
    /5 ms in vain.*"entries":3/
  )
})

t.test('fast: counts, and answers 201', async t => {
  const { logtrail, ask } = await start(t, { fast: true })
  t.equal((await ask('/logs/bulk', Array(500).fill(entry({ message: 'x'.repeat(300) })))).status, 201)
  t.equal((await ask('/logs', entry())).status, 201)
  t.equal((await ask('/logs', entry(), { key: null })).status, 401)
  t.match(logtrail.stats, { requests: 3, entries: 501, answers: { 201: 2, 401: 1 } })
})

t.test('as a process: control, page, and no key in what it shows', async t => {
  const key = makeKey()
  const path = fileURLToPath(new URL('./logtrail/standin.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', path, '--plan', 'free', '--limits', '{"maxTags":1}'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, LOGTRAIL_STANDIN_KEYS: key }
  })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = await once(createInterface(child.stdout), 'line')
  const { url, origin } = JSON.parse(line)
  const post = (body: object) =>
    fetch(`${url}/logs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'x-request-id': 'r-1' },
      body: JSON.stringify(body)
    })
  const control = async (body: object | string) =>
    (
      await fetch(`${origin}/_standin/control`, {
        method: 'POST',
        body: typeof body === 'string' ? body : JSON.stringify(body)
      })
    ).status
  // biome-ignore lint/suspicious/noExplicitAny: whatever was answered
  const tell = async (what: string) => (await fetch(`${origin}/_standin/${what}`)).json() as Promise<any>

  const events = await fetch(`${origin}/_standin/events`)
  t.equal((await post(entry({ metadata: { id: 'one' } }))).status, 201)
  t.equal((await post(entry({ tags: ['a', 'b'] }))).status, 400)
  const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader()
  let heard = ''
  while (!heard.includes('cart.paid')) heard += (await reader.read()).value
  await reader.cancel()
  t.match(heard, fingerprint(key))
  t.notMatch(heard, key)

  t.match(await tell('stats'), { requests: 2, entries: 1, answers: { 201: 1, 400: 1 } })
  t.match(await tell('stored'), [{ entry: entry(), key: fingerprint(key), requestId: 'r-1', request: 1, index: null }])
  t.same(await tell('stored?after=1'), [])
  t.same(await tell('ids'), [['one', 1]])
  const requests = await tell('requests')
  t.match(requests[0].body, 'cart.paid')
  t.notMatch(JSON.stringify(requests), key)

  t.equal(await control('{'), 400)
  t.equal(await control({ faults: [{ kind: 'not-found' }], always: { kind: 'portal' }, mix: null, latencyMs: 1 }), 200)
  t.equal((await post(entry())).status, 404)
  t.equal((await post(entry())).status, 200)
  await control({ reset: true, limits: { maxTags: 9 }, refuseActions: ['bad'], usedThisMonth: 0, enforceRate: false })
  t.equal((await post(entry({ tags: ['a', 'b'] }))).status, 201)
  t.equal((await post(entry({ action: 'bad' }))).status, 400)
  await control({ revoke: key })
  t.equal((await post(entry())).status, 401)
  await control({ add: key, always: null })
  t.equal((await post(entry())).status, 201)

  const page = await fetch(origin)
  t.match(page.headers.get('content-security-policy'), "default-src 'self'")
  for (const file of ['', '_standin/page.css', '_standin/page.js'])
    t.equal((await fetch(`${origin}/${file}`)).status, 200)
  child.kill('SIGTERM')
  t.same(await once(child, 'exit'), [0, null])
})
