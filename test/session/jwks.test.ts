/** Keys from a set on a real server, whose answers, and whose clock, the test decides. */
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import {
  asymmetric,
  bearer,
  claims,
  ed25519,
  encode,
  forge,
  hs,
  jwtSessions,
  NOW,
  outcome,
  p256,
  pemOf,
  refusal,
  rsa,
  SECONDS
} from './forge.js'

const ISSUER = 'https://issuer.test'
const rules = { issuer: [ISSUER], audience: ['logs'] }
const good = (more: object = {}) => claims({ iss: ISSUER, aud: 'logs', ...more })
const ada = { userId: 'ada', via: 'authorization' }

const rsaJwk = { ...rsa.publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }
const ecJwk = { ...p256.publicKey.export({ format: 'jwk' }), kid: 'two' }
const edJwk = { ...ed25519.publicKey.export({ format: 'jwk' }), kid: 'three', key_ops: ['verify'] }
const byRsa = (header: object = { kid: 'one' }, payload: object = good()) =>
  forge({ alg: 'RS256', ...header }, payload, asymmetric(rsa.privateKey))
const byEc = (header: object = { kid: 'two' }) =>
  forge({ alg: 'ES256', ...header }, good(), asymmetric(p256.privateKey))
const byEd = (alg = 'EdDSA') => forge({ alg, kid: 'three' }, good(), asymmetric(ed25519.privateKey, null))

async function listen(t: Test, listener: RequestListener): Promise<{ server: Server; url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  return { server, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json` }
}

async function setUp(t: Test, keys: unknown[] = [rsaJwk], more: object = {}) {
  const state = {
    keys,
    fetches: 0,
    time: NOW,
    faults: [] as (string | undefined)[],
    answer: undefined as RequestListener | undefined,
    headers: {} as Record<string, unknown>
  }
  const { url, server } = await listen(t, (request, response) => {
    state.fetches++
    state.headers = request.headers
    if (state.answer) return void state.answer(request, response)
    response.setHeader('content-type', 'application/json').end(JSON.stringify({ keys: state.keys }))
  })
  const source = jwtSessions({
    ...rules,
    key: { jwksUrl: url },
    now: () => state.time,
    onFault: message => state.faults.push(message),
    ...more
  })
  t.teardown(() => source.close())
  return { state, source, url, server }
}

t.test('verifies with the key that the kid names', async t => {
  const { state, source } = await setUp(t, [rsaJwk, ecJwk, edJwk])
  t.same(await Promise.all([outcome(source, bearer(byRsa())), outcome(source, bearer(byEc()))]), [ada, ada])
  t.same(await outcome(source, bearer(byEd())), ada)
  t.same(await outcome(source, bearer(byEd('Ed25519'))), ada)
  t.equal(state.fetches, 1, 'one fetch for all')
  t.same(Object.keys(state.headers).sort(), ['accept', 'connection', 'host', 'user-agent'])
  t.equal(state.headers['user-agent'], 'test/1')
  t.match(await source.check(), { ok: true, message: /^key set at 127\.0\.0\.1:\d+: 3 keys in use$/ })
  await source.close()
  await source.close()
})

t.test('a token without a kid is tried with every key that fits its algorithm', async t => {
  const another = generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ format: 'jwk' })
  const { source } = await setUp(t, [another, ecJwk, { ...another, kid: 'x' }, rsaJwk])
  t.same(await outcome(source, bearer(byRsa({}))), ada)
  t.equal(await outcome(source, bearer(byRsa({}, good({ aud: 'x' })))), 'SESSION_INVALID')
  t.equal(await outcome(source, bearer(byRsa({}, good({ exp: 1 })))), 'SESSION_EXPIRED')
  t.equal(await outcome(source, bearer(`${byRsa({}).slice(0, -20)}${'A'.repeat(20)}`)), 'SESSION_INVALID')
})

t.test('a key is used for what it is for', async t => {
  const unfit = [
    { ...rsaJwk, use: 'enc' },
    { ...rsaJwk, key_ops: ['sign'] },
    { ...rsaJwk, key_ops: 'verify' },
    { ...rsaJwk, alg: 'RS512' },
    { ...rsaJwk, alg: 'RSA-OAEP' },
    { ...rsaJwk, kid: 7 },
    { ...rsaJwk, n: 'AQAB' },
    { ...rsaJwk, n: 5 },
    { ...rsaJwk, n: `${'A'.repeat(300)}AQ` },
    { ...rsaJwk, n: undefined },
    { ...rsaJwk, e: '!' },
    { ...ecJwk, kid: 'one', x: ecJwk.y },
    { ...rsa.privateKey.export({ format: 'jwk' }), kid: 'one' },
    { kty: 'oct', k: encode('x'.repeat(40)), kid: 'one' },
    { kty: 'EC', crv: 'toString', kid: 'one' },
    { kty: 'OKP', crv: 'X25519', kid: 'one' },
    {},
    null,
    'key'
  ]
  for (const jwk of unfit) {
    const { source } = await setUp(t, [jwk])
    const why = JSON.stringify(jwk)?.slice(-60)
    t.equal(await outcome(source, bearer(byRsa())), 'SESSION_INVALID', why)
    t.equal(await outcome(source, bearer(byRsa({}))), 'SESSION_INVALID', `${why}, nor for a token without a kid`)
    t.equal(
      await outcome(source, bearer(forge({ alg: 'HS256', kid: 'one' }, good(), hs('x'.repeat(40))))),
      'SESSION_INVALID'
    )
  }
  const { source } = await setUp(t, [{ kty: 'oct', k: 'AAAA', kid: 'one' }])
  t.match(await source.check(), { ok: false, message: /holds no key that fits RS256/ })
})

t.test('the address comes from the configuration, whatever a token says', async t => {
  let asked = 0
  const elsewhere = await listen(t, (_, response) => {
    asked++
    response.end(JSON.stringify({ keys: [ecJwk] }))
  })
  const { source } = await setUp(t)
  for (const header of [{ jku: elsewhere.url }, { x5u: elsewhere.url }, { kid: elsewhere.url }, { kid: '../../two' }]) {
    t.equal(await outcome(source, bearer(byEc(header))), 'SESSION_INVALID')
  }
  t.equal(await outcome(source, bearer(byRsa({ kid: 'one' }, good({ iss: elsewhere.url })))), 'SESSION_INVALID')
  t.equal(asked, 0)
})

t.test('a flood of unknown kids costs one fetch in thirty seconds', async t => {
  const { state, source } = await setUp(t)
  t.same(await outcome(source, bearer(byRsa())), ada)
  const flood = () =>
    Promise.all(Array.from({ length: 200 }, (_, i) => outcome(source, bearer(byRsa({ kid: `${state.time}-${i}` })))))
  t.same(new Set(await flood()), new Set(['SESSION_INVALID']))
  t.equal(state.fetches, 2, 'the first, and one for all of them')
  state.time = NOW + 29_999
  await flood()
  t.equal(state.fetches, 2)
  state.time = NOW + 30_000
  await flood()
  t.equal(state.fetches, 3)
  await flood()
  t.equal(state.fetches, 3)
  t.same(source.identify(bearer(byRsa())), ada, 'and the good one is still known')
})

t.test('while fetching fails too', async t => {
  const { state, source } = await setUp(t)
  t.same(await outcome(source, bearer(byRsa())), ada)
  state.answer = (_, response) => response.writeHead(500).end()
  const flood = () =>
    Promise.all(Array.from({ length: 50 }, (_, i) => outcome(source, bearer(byRsa({ kid: `${state.time}-${i}` })))))
  t.same(new Set(await flood()), new Set(['SESSION_UNAVAILABLE']))
  await flood()
  state.time = NOW + 29_999
  await flood()
  t.equal(state.fetches, 2)
  state.time = NOW + 30_000
  await flood()
  await flood()
  t.equal(state.fetches, 3)
  // the fetch that everybody's keys are due for fails: that is no reason to ask sooner again
  state.time = NOW + 300_000
  t.same(source.identify(bearer(byRsa())), ada)
  await source.check()
  t.equal(state.fetches, 4)
  state.time += 1000
  await flood()
  t.equal(state.fetches, 4)
})

t.test('a key that is rotated in right after a fetch is found at once', async t => {
  const { state, source } = await setUp(t)
  t.same(await outcome(source, bearer(byRsa())), ada)
  state.keys = [rsaJwk, ecJwk]
  state.time = NOW + 1
  t.same(await outcome(source, bearer(byEc())), ada)
  t.equal(state.fetches, 2)
  state.time = NOW + 300_001
  t.match(await source.check(), { ok: true })
  t.equal(state.fetches, 3, 'fetched because it is due')
  state.keys = [rsaJwk, ecJwk, edJwk]
  state.time += 1
  t.same(await outcome(source, bearer(byEd())), ada)
  t.equal(state.fetches, 4)
})

t.test('a new key is found by its kid', async t => {
  const { state, source } = await setUp(t)
  t.equal(await outcome(source, bearer(byEc())), 'SESSION_INVALID')
  state.keys = [rsaJwk, ecJwk]
  state.time = NOW + 30_000
  t.same(await outcome(source, bearer(byEc())), ada, 'not held against it that it was unknown before')
  t.equal(state.fetches, 2)
})

t.test('what was refused is looked at anew once a key has come, and not before', async t => {
  const other = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const { state, source } = await setUp(t)
  const token = forge({ alg: 'RS256', kid: 'one' }, good(), asymmetric(other.privateKey))
  const unknown = (kid: string) => outcome(source, bearer(byEc({ kid })))
  t.equal(await outcome(source, bearer(token)), 'SESSION_INVALID')
  t.equal(await unknown('new'), 'SESSION_INVALID')
  t.equal(state.fetches, 2)
  t.throws(() => source.identify(bearer(token)), { code: 'SESSION_INVALID' }, 'the set is as it was: known at once')
  state.time += 30_000
  t.equal(await outcome(source, bearer(token)), 'SESSION_INVALID')
  state.keys = [{ ...other.publicKey.export({ format: 'jwk' }), kid: 'one' }]
  t.equal(await unknown('newer'), 'SESSION_INVALID')
  t.equal(state.fetches, 3)
  t.same(await outcome(source, bearer(token)), ada)
})

t.test('a key that leaves the set takes what it vouched for with it', async t => {
  const { state, source } = await setUp(t, [rsaJwk, ecJwk])
  const [rsaToken, ecToken] = [byRsa(), byEc()]
  await Promise.all([source.identify(bearer(rsaToken)), source.identify(bearer(ecToken))])
  state.keys = [ecJwk]
  state.time = NOW + 300_000
  t.same(source.identify(bearer(ecToken)), ada, 'looks for new keys in the background')
  await source.check()
  t.equal(state.fetches, 2)
  t.equal(await outcome(source, bearer(rsaToken)), 'SESSION_INVALID')
  t.same(source.identify(bearer(ecToken)), ada, 'the key that stayed, and its results, stay')
})

t.test('after a long silence the keys are looked at before anything is believed', async t => {
  const { state, source } = await setUp(t)
  const token = byRsa({ kid: 'one' }, good({ exp: SECONDS + 7200 }))
  await source.identify(bearer(token))
  state.keys = [ecJwk]
  state.time = NOW + 3_600_000
  const results = await Promise.all([outcome(source, bearer(token)), outcome(source, bearer(token))])
  t.same(results, ['SESSION_INVALID', 'SESSION_INVALID'])
  t.equal(state.fetches, 2)
})

t.test('while fetching fails the old keys stay good', async t => {
  const { state, source } = await setUp(t)
  const token = byRsa({ kid: 'one' }, good({ exp: SECONDS + 7200 }))
  await source.identify(bearer(token))
  state.answer = (_, response) => response.writeHead(500).end()
  state.time = NOW + 3_600_000
  t.same(await outcome(source, bearer(token)), ada)
  t.match(await source.check(), { ok: false, message: /cannot be fetched: it answers 500; 1 key in use$/ })
  t.equal(state.fetches, 2, 'a check within the thirty seconds asks nobody')
  t.equal(
    await outcome(source, bearer(byEc())),
    'SESSION_UNAVAILABLE',
    'an unknown kid may be in the set that cannot be had'
  )
  state.answer = undefined
  state.time += 30_000
  t.match(await source.check(), { ok: true })
  t.match(state.faults, [/it answers 500/, undefined])
  t.equal(await outcome(source, bearer(byEc())), 'SESSION_INVALID')
})

t.test('no keys from the start: nobody gets in, until there are', async t => {
  const { state, source, server } = await setUp(t)
  state.answer = request => request.destroy()
  const refused = await refusal(source, bearer(byRsa()))
  t.match(refused, {
    code: 'SESSION_UNAVAILABLE',
    statusCode: 503,
    retryAfter: 1,
    cause: /cannot be fetched: no answer/
  })
  t.match(await source.check(), { ok: false, message: /cannot be fetched/ })
  t.equal(source.identify({}), null, 'who has no session is told so all the same')
  for (let i = 0; i < 20; i++) await outcome(source, bearer(byRsa({ kid: `${i}` })))
  t.equal(state.fetches, 1, 'not asked again at once')
  const waits: number[] = []
  for (let i = 0; i < 7; i++) {
    const error = await refusal(source, bearer(byRsa()))
    waits.push(error.retryAfter ?? 0)
    state.time += (error.retryAfter ?? 0) * 1000
    await source.check()
  }
  t.same(waits, [1, 2, 4, 8, 16, 30, 30])
  state.answer = undefined
  state.time += 30_000
  t.same(await outcome(source, bearer(byRsa())), ada)
  t.equal(state.faults.length, 2)
  server.close()
})

t.test('answers that are no key set', async t => {
  const answers: [RequestListener, RegExp][] = [
    [(_, response) => response.end('<html>'), /it is not JSON/],
    [(_, response) => response.end('null'), /it is not a key set/],
    [(_, response) => response.end('{"keys":{}}'), /it is not a key set/],
    [(_, response) => response.writeHead(404).end('{"keys":[]}'), /it answers 404/],
    [(_, response) => response.end(`{"keys":[],"x":"${'x'.repeat(300_000)}"}`), /too large/],
    [(_, response) => void response.writeHead(200).end(), /it is not JSON/]
  ]
  for (const [answer, why] of answers) {
    const state = await setUp(t)
    state.state.answer = answer
    t.match((await refusal(state.source, bearer(byRsa()))).cause, why)
  }
})

t.test('redirects are not followed', async t => {
  const elsewhere = await listen(t, () => t.fail('was followed'))
  const { state, source } = await setUp(t)
  state.answer = (_, response) => response.writeHead(302, { location: elsewhere.url }).end()
  t.match((await refusal(source, bearer(byRsa()))).cause, /it answers 302/)
})

t.test('a set of very many keys is read up to a bound', async t => {
  const { source } = await setUp(t, [...Array.from({ length: 100 }, (_, i) => ({ ...ecJwk, kid: `k${i}` })), rsaJwk])
  t.equal(await outcome(source, bearer(byRsa())), 'SESSION_INVALID')
  t.match(await source.check(), { message: /64 keys in use/ })
})

t.test('narrowed algorithms hold for sets too', async t => {
  const { source } = await setUp(t, [rsaJwk, ecJwk], { algorithms: ['ES256', 'HS256', 'none'] })
  t.equal(await outcome(source, bearer(byRsa())), 'SESSION_INVALID')
  t.same(await outcome(source, bearer(byEc())), ada)
  t.equal(await outcome(source, bearer(forge({ alg: 'none' }, good()))), 'SESSION_INVALID')
  t.equal(await outcome(source, bearer(forge({ alg: 'HS256' }, good(), hs(pemOf(rsa.publicKey))))), 'SESSION_INVALID')
})

t.test('a set signs for every app of its provider: without issuer and audience it lets nobody in', async t => {
  // The configuration refuses both.
  for (const more of [{ issuer: [] }, { audience: [] }]) {
    const { source } = await setUp(t, [rsaJwk], more)
    for (const payload of [good(), good({ iss: undefined, aud: undefined }), good({ iss: '', aud: [] })])
      t.equal(await outcome(source, bearer(byRsa({ kid: 'one' }, payload))), 'SESSION_INVALID')
  }
})
