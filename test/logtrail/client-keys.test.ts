import type { ServerResponse } from 'node:http'
import t from 'tap'
import { judge, type Verdict } from '../../src/logtrail/verdict.js'
import { connect, KEY_A, KEY_B, RANDOM_A, RANDOM_B, type Received, startUpstream } from './upstream.js'

const ENTRY = '{"action":"a"}'
const KEY_C = 'lt_staging_wo_Xi5s9VdT8xRoU4cc'

/** Logtrail's manner with keys; `valid` can change while it runs. */
function guard(valid: Set<string>, status = 401) {
  return (response: ServerResponse, { key }: Received) => {
    if (valid.has(key)) response.writeHead(201).end('{}')
    else response.writeHead(status, { 'content-type': 'application/json' }).end('{"error_code":"AUTH_INVALID_API_KEY"}')
  }
}

t.test('the second key is tried when the first is refused, once, and stays in use', async t => {
  for (const status of [401, 403]) {
    const upstream = await startUpstream(t, guard(new Set([KEY_B]), status))
    const { client, keyring, requests } = connect(t, upstream, { keys: [KEY_A, KEY_B] })
    t.match(await client.post('logs', ENTRY, { requestId: '1' }), { status: 201 })
    t.match(await client.post('logs', ENTRY, { requestId: '2' }), { status: 201 })
    t.strictSame(
      upstream.received.map(each => each.key),
      [KEY_A, KEY_B, KEY_B]
    )
    t.ok(upstream.received.every(each => each.body === ENTRY))
    t.strictSame(requests, [status, 201, 201])
    t.match(keyring.state(), [{ state: 'refused' }, { state: 'accepted' }])
  }
})

t.test('both refused: two attempts, then one each time, and well again by itself', async t => {
  const valid = new Set<string>()
  const upstream = await startUpstream(t, guard(valid))
  const { client, keyring } = connect(t, upstream, { keys: [KEY_A, KEY_B] })
  const post = async () => (await client.post('logs', ENTRY, { requestId: '1' })).status
  t.equal(await post(), 401)
  t.equal(upstream.received.length, 2)
  t.equal(await post(), 401)
  t.equal(upstream.received.length, 3, 'a probe is one request')
  t.match(keyring.state(), [{ state: 'refused' }, { state: 'refused' }])
  valid.add(KEY_B)
  await post()
  t.equal(await post(), 201, 'found within two probes, whichever key it is')
  t.match(keyring.state(), [{ state: 'refused' }, { state: 'accepted' }])
})

t.test('a key alone is refused with an answer that says nothing more', async t => {
  const upstream = await startUpstream(t, (response, { key }) =>
    response.writeHead(403, { 'retry-after': '1' }).end(`{"message":"${key}"}`)
  )
  const { client } = connect(t, upstream)
  t.strictSame(await client.post('logs', ENTRY, { requestId: '1' }), {
    status: 403,
    headers: {},
    body: Buffer.alloc(0)
  })
  t.equal(upstream.received.length, 1)
})

t.test('a hundred under way when the key is revoked: none fails, and none demotes the new key', async t => {
  const valid = new Set([KEY_A, KEY_B])
  const held: (() => void)[] = []
  let all = () => {}
  const here = new Promise<void>(resolve => {
    all = resolve
  })
  const answer = guard(valid)
  const upstream = await startUpstream(t, (response, request, count) => {
    if (count > 100) answer(response, request)
    else if (held.push(() => answer(response, request)) === 100) all()
  })
  const { client, keyring } = connect(t, upstream, { keys: [KEY_A, KEY_B], connections: 100 })
  let changes = 0
  keyring.on('change', () => changes++)
  const posts = Array.from({ length: 100 }, (_, n) => client.post('logs', ENTRY, { requestId: `${n}` }))
  await here
  valid.delete(KEY_A)
  for (const release of held) release()
  const answers = await Promise.all(posts)
  t.ok(answers.every(each => each.status === 201))
  t.equal(upstream.received.length, 200)
  t.equal(changes, 1)
  t.equal(keyring.current(), KEY_B)
})

t.test('keys replaced while a request runs: it goes out again with the new one', async t => {
  const valid = new Set([KEY_C])
  const answer = guard(valid)
  const upstream = await startUpstream(t, (response, request, count) => {
    if (count === 1) keyring.replace([KEY_C])
    answer(response, request)
  })
  const { client, keyring } = connect(t, upstream, { keys: [KEY_A, KEY_B] })
  t.match(await client.post('logs', ENTRY, { requestId: '1' }), { status: 201 })
  t.strictSame(
    upstream.received.map(each => each.key),
    [KEY_A, KEY_C]
  )
  t.match(keyring.state(), [{ state: 'accepted' }])
})

t.test('one deadline for both attempts', async t => {
  const upstream = await startUpstream(t, (response, { key }) => {
    if (key === KEY_A) response.writeHead(401).end()
  })
  const { client, requests } = connect(t, upstream, { keys: [KEY_A, KEY_B], timeoutMs: 100 })
  await t.rejects(client.post('logs', ENTRY, { requestId: '1' }), { kind: 'timeout', code: 'DEADLINE' })
  t.strictSame(requests, [401, 'error'])
})

t.test('a web page with 401 or 403 says nothing of the key for certain', async t => {
  const page = '<!doctype html><title>Request blocked</title>'
  const posted = async (say: (key: string, response: ServerResponse) => unknown) => {
    const upstream = await startUpstream(t, (response, { key }) => void say(key, response))
    const { client, keyring } = connect(t, upstream, { keys: [KEY_A, KEY_B] })
    const refused: string[] = []
    keyring.on('refused', (_key, status) => refused.push(`${status}`))
    const answer = await client.post('logs', ENTRY, { requestId: '1' }).catch((error: Error) => error)
    const verdict = answer instanceof Error ? answer.name : judge(answer, 0).kind
    const kept = { states: keyring.state().map(each => each.state), current: keyring.current() }
    return { ...kept, refused, verdict, sent: upstream.received.map(each => each.key) }
  }
  for (const status of [401, 403]) {
    t.strictSame(
      await posted((_key, response) => response.writeHead(status).end(page)),
      { states: ['unproven', 'unproven'], current: KEY_A, refused: [], verdict: 'fault', sent: [KEY_A, KEY_B] },
      'the same for both keys is about the entry, or the whole way'
    )
    t.strictSame(
      await posted((key, response) =>
        key === KEY_A ? response.writeHead(status).end(page) : response.writeHead(201).end()
      ),
      {
        states: ['refused', 'accepted'],
        current: KEY_B,
        refused: [`${status}`],
        verdict: 'delivered',
        sent: [KEY_A, KEY_B]
      },
      'where the second passes it was the first'
    )
    t.strictSame(
      await posted((key, response) => response.writeHead(status).end(key === KEY_A ? page : '{"error_code":"AUTH"}')),
      {
        states: ['unproven', 'refused'],
        current: KEY_A,
        refused: [`${status}`],
        verdict: 'UpstreamFault',
        sent: [KEY_A, KEY_B]
      },
      'of the second key it is known now; of the first nothing is'
    )
    t.match(
      await posted((key, response) =>
        response.writeHead(key === KEY_A ? status : 400).end(key === KEY_A ? page : '{}')
      ),
      { states: ['unproven', 'unproven'], verdict: 'refused' }
    )
    t.match(
      await posted((key, response) => response.writeHead(status).end(key === KEY_A ? '{"error_code":"AUTH"}' : page)),
      { states: ['refused', 'unproven'], current: KEY_B, verdict: 'fault', sent: [KEY_A, KEY_B] }
    )
  }
  const known = await startUpstream(t, (response, { key }) =>
    response.writeHead(401).end(key === KEY_A ? page : '{"error_code":"AUTH"}')
  )
  const second = connect(t, known, { keys: [KEY_A, KEY_B] })
  for (const requestId of ['1', '2']) await second.client.post('logs', ENTRY, { requestId }).catch(() => {})
  t.strictSame(
    known.received.map(each => each.key),
    [KEY_A, KEY_B, KEY_A],
    'a second key that is known as refused is not tried for it'
  )
  const alone = await startUpstream(t, response => response.writeHead(403).end('error code: 1020'))
  const { client, keyring } = connect(t, alone)
  t.equal(judge(await client.post('logs', ENTRY, { requestId: '1' }), 0).kind, 'fault', 'nor does a text')
  t.strictSame(keyring.state()[0]?.state, 'unproven')
  t.equal(alone.received.length, 1)
})

t.test("a portal's page with 200 proves no key", async t => {
  const upstream = await startUpstream(t, response => response.writeHead(200).end('<html>'))
  const { client, keyring } = connect(t, upstream)
  await client.post('logs', ENTRY, { requestId: '1' })
  t.strictSame(keyring.state()[0]?.state, 'unproven')
})

t.test('of an answer that repeats a key, however it is spelled, the status alone passes', async t => {
  const escaped = [...RANDOM_A].map(each => `\\u00${each.charCodeAt(0).toString(16)}`).join('')
  const echoes: [string, Verdict['kind'] | undefined, (response: ServerResponse) => void][] = [
    ['in its body', 'delivered', response => response.writeHead(201).end(`{"key":"${KEY_A}"}`)],
    [
      'in a refusal',
      'refused',
      response => response.writeHead(400).end(`{"error_code":"VALIDATION_FAILED","message":"${KEY_A}"}`)
    ],
    ['of a size', 'refused', response => response.writeHead(413).end(`<html>${KEY_A}`)],
    ['the other one', 'delivered', response => response.writeHead(201).end(`{"key":"${RANDOM_B}"}`)],
    ['escaped', 'delivered', response => response.writeHead(201).end(`{"key":"${escaped}"}`)],
    [
      'in pieces',
      'delivered',
      response => response.write(`{"key":"${KEY_A.slice(0, 20)}`, () => response.end(`${KEY_A.slice(20)}"}`))
    ],
    [
      'in more than is read',
      'delivered',
      response => response.writeHead(201).end(`["${KEY_A}","${'x'.repeat(1024 * 1024)}"]`)
    ],
    [
      'in its content type',
      'delivered',
      response => response.writeHead(200, { 'content-type': `text/${KEY_A}` }).end('{}')
    ],
    ['in Retry-After', 'rate', response => response.writeHead(429, { 'retry-after': KEY_A }).end('{}')],
    ['of a fault', 'fault', response => response.writeHead(500).end(`...${RANDOM_A}...`)],
    ['of a refused key', 'key', response => response.writeHead(401).end(`{"key":"${KEY_A}"}`)],
    ["in a portal's page", undefined, response => response.writeHead(200).end(`<html>x-api-key: ${KEY_A}`)],
    ["in a firewall's page", undefined, response => response.writeHead(403).end(`<html>x-api-key: ${KEY_A}`)],
    ['in a page with 400', undefined, response => response.writeHead(400).end(`<html>x-api-key: ${KEY_A}`)]
  ]
  for (const [name, kind, answer] of echoes) {
    const upstream = await startUpstream(t, answer)
    const { client } = connect(t, upstream, { keys: [KEY_A, KEY_B] })
    const posted = client.post('logs', ENTRY, { requestId: '1' })
    if (kind === undefined) {
      const error = await posted.then(
        () => t.fail(name),
        (error: Error) => error
      )
      t.match(error, { kind: 'broken', code: 'ANSWER_ECHOES_KEY' }, name)
      t.notMatch(JSON.stringify(error), new RegExp(`${RANDOM_A}|${RANDOM_B}`))
      continue
    }
    const said = await posted
    t.equal(judge(said, 0).kind, kind, name)
    t.strictSame(Object.keys(said.headers), [], name)
    t.ok(said.body.length === 0 || said.body.toString() === '{}', name)
  }
  const upstream = await startUpstream(t, response => {
    response.setHeader('set-cookie', `k=${KEY_A}`)
    response.setHeader('x-api-key', KEY_A)
    response.writeHead(201, { 'x-ratelimit-limit': KEY_A }).end('{"text":"\\u0041\\u00e9"}')
  })
  const { client } = connect(t, upstream)
  const answer = await client.post('logs', ENTRY, { requestId: '1' })
  t.strictSame(answer.headers, {}, 'where it comes no further it does no harm')
  t.equal(answer.body.length, 23)
})

t.test('a short key is looked for as a whole: what it ends in may stand in any answer', async t => {
  const key = 'lt_development_wo_abc123'
  let body = '{"name":"abc123"}'
  const upstream = await startUpstream(t, response => response.writeHead(201).end(body))
  const { client } = connect(t, upstream, { keys: [key] })
  t.match(await client.post('logs', ENTRY, { requestId: '1' }), { status: 201, body: { length: body.length } })
  body = `{"name":"${key}"}`
  t.match(await client.post('logs', ENTRY, { requestId: '2' }), { status: 201, body: { length: 0 } })
})

t.test('a key that was replaced while its answer came is looked for, too', async t => {
  const upstream = await startUpstream(t, response => {
    keyring.replace([KEY_C])
    response.writeHead(201).end(`{"key":"${KEY_A}"}`)
  })
  const { client, keyring } = connect(t, upstream)
  t.match(await client.post('logs', ENTRY, { requestId: '1' }), { status: 201, body: { length: 0 } })
})
