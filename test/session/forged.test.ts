/**
 * Forged and faulty sessions: every one is refused, whatever the key, and none of what is refused becomes known. Where a
 * case has a history, it is named: these are the ways in which libraries have let people in.
 */
import t from 'tap'
import { MAX_TOKEN } from '../../src/session/jwt-sessions.js'
import {
  asymmetric,
  bearer,
  claims,
  encode,
  forge,
  HS256,
  honest,
  hs,
  jwtSessions,
  NOW,
  outcome,
  p256,
  pemOf,
  refusal,
  rsa,
  SECONDS,
  secret
} from './forge.js'

const options = { issuer: ['https://app.test'], audience: ['logs'] }
const hmac = jwtSessions({ ...options, key: { secret } })
const pem = jwtSessions({ ...options, key: { publicKey: pemOf(rsa.publicKey) } })
const curve = jwtSessions({ ...options, key: { publicKey: pemOf(p256.publicKey) } })

const good = (more: object = {}) => claims({ iss: 'https://app.test', aud: 'logs', ...more })
const token = (more: object = {}, header: object = HS256) => forge(header, good(more))
const valid = token()
const [head = '', body = '', signature = ''] = valid.split('.')
const rs256 = (header: object, payload: unknown = good()) =>
  forge({ alg: 'RS256', ...header }, payload, asymmetric(rsa.privateKey))

t.test('the honest ones are let in', async t => {
  t.same(await outcome(hmac, bearer(valid)), { userId: 'ada', via: 'authorization' })
  t.same(await outcome(pem, bearer(rs256({}))), { userId: 'ada', via: 'authorization' })
  t.same(await outcome(curve, bearer(forge({ alg: 'ES256' }, good(), asymmetric(p256.privateKey)))), {
    userId: 'ada',
    via: 'authorization'
  })
})

const forgeries: Record<string, string> = {
  'alg none, no signature': `${encode({ alg: 'none' })}.${body}.`,
  'alg none with a signature': forge({ alg: 'none' }, good()),
  'alg None, by case': `${encode({ alg: 'nOnE' })}.${body}.x`,
  'no alg': forge({ typ: 'JWT' }, good()),
  'alg as an array': forge({ alg: ['HS256'] }, good()),
  'alg of an object’s prototype': forge({ alg: 'constructor' }, good()),
  'alg in lower case': forge({ alg: 'hs256' }, good()),
  'a payload swapped under its signature': `${head}.${encode(good({ sub: 'root' }))}.${signature}`,
  'a header swapped over its signature': `${encode({ alg: 'HS256', kid: 'x' })}.${body}.${signature}`,
  'a signature cut short': `${head}.${body}.${signature.slice(0, -4)}`,
  'an empty signature': `${head}.${body}.`,
  'a signature with another secret': forge(HS256, good(), hs('another-secret-of-more-than-32-bytes!')),
  'a signature with an empty secret (GHSA-gmvf-9v4p-v8jc)': forge(HS256, good(), hs('')),
  'a signature with another hash than it says': forge(HS256, good(), hs(secret, 'sha512')),
  'another issuer': token({ iss: 'https://evil.test' }),
  'the issuer in a list (CVE-2025-30144)': token({ iss: ['https://evil.test', 'https://app.test'] }),
  'no issuer': token({ iss: undefined }),
  'another audience': token({ aud: 'billing' }),
  'audiences without ours': token({ aud: ['billing', 'mail'] }),
  'an audience that contains ours': token({ aud: 'logs-admin' }),
  'no audience': token({ aud: undefined }),
  'an audience as an object': token({ aud: { logs: true } }),
  'no exp': token({ exp: undefined }),
  'exp null': token({ exp: null }),
  'exp as text': token({ exp: String(SECONDS + 600) }),
  'exp in milliseconds': token({ exp: NOW + 600_000 }),
  'exp infinite': forge(HS256, JSON.stringify(good()).replace(/"exp":\d+/, '"exp":1e999')),
  'exp as a list': token({ exp: [SECONDS + 600] }),
  'nbf in the future': token({ nbf: SECONDS + 60 }),
  'nbf as text': token({ nbf: '0' }),
  'no user': token({ sub: undefined }),
  'an empty user': token({ sub: '' }),
  'a user as an object': token({ sub: { id: 'ada' } }),
  'a user as a list': token({ sub: ['ada'] }),
  'a user as a boolean': token({ sub: true }),
  'a user as a fraction': token({ sub: 1.5 }),
  'a user as a number no longer exact': forge(HS256, JSON.stringify(good()).replace('"ada"', '9007199254740993')),
  'a user too long': token({ sub: 'a'.repeat(257) }),
  'a user with a line break': token({ sub: 'ada\r\nroot' }),
  'a user with a null character': token({ sub: 'ada\0' }),
  'a user with half a character': token({ sub: 'ada\ud800' }),
  'an unknown critical header (CVE-2026-35042)': token({}, { ...HS256, crit: ['x-policy'], 'x-policy': 'mfa' }),
  'an empty crit': token({}, { ...HS256, crit: [] }),
  'crit naming a registered header': token({}, { ...HS256, crit: ['alg'] }),
  'an unencoded payload (RFC 7797)': (() => {
    const input = `${encode({ alg: 'HS256', b64: false, crit: ['b64'] })}.${JSON.stringify(good())}`
    return `${input}.${hs()(input)}`
  })(),
  'an encoded payload that says it is not': token({}, { alg: 'HS256', b64: false, crit: ['b64'] }),
  'its own key in the header (CVE-2018-0114)': forge(
    { alg: 'ES256', jwk: p256.publicKey.export({ format: 'jwk' }) },
    good(),
    asymmetric(p256.privateKey)
  ),
  'a kid that climbs the file system': forge({ ...HS256, kid: '../../../../dev/null' }, good(), hs('')),
  'a kid with SQL in it': forge({ ...HS256, kid: "x' UNION SELECT 'key" }, good(), hs('key')),
  'a kid as a number': token({}, { ...HS256, kid: 1 }),
  'a payload that is no object': forge(HS256, '"ada"'),
  'a payload that is a list': forge(HS256, [good()]),
  'a payload that is null': forge(HS256, 'null'),
  'a payload that is no JSON': forge(HS256, '{"sub":"ada"'),
  'a payload that is no UTF-8': (() => {
    const bad = Buffer.concat([Buffer.from('{"sub":"'), Buffer.from([0xff]), Buffer.from(`","exp":${SECONDS + 600}}`)])
    const input = `${encode(HS256)}.${bad.toString('base64url')}`
    return `${input}.${hs()(input)}`
  })(),
  'a header that is no JSON': `${Buffer.from('{').toString('base64url')}.${body}.${signature}`,
  'a dot too many': `${valid}.`,
  'a dot too few': `${head}.${body}`,
  'an encrypted token': 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA',
  'dots alone': '..',
  'nothing after the scheme': '',
  padding: `${head}=.${body}.${signature}`,
  'spaces within': `${head}. ${body}.${signature}`,
  'two bearers in one header': `${valid}, Bearer ${token({ sub: 'root' })}`,
  'two tokens': `${valid} ${valid}`,
  'letters outside ASCII': `${head}.${body}.ü${signature}`,
  'a full-width dot': `${head}．${body}．${signature}`,
  'longer than any token': token({ filler: 'x'.repeat(MAX_TOKEN) })
}

t.test('a good token of several chunks of 4 KB is let in, up to the longest that is looked at', async t => {
  for (const length of [9000, 12_000, MAX_TOKEN]) {
    const filler = 'x'.repeat(Math.floor((length - token({ filler: '' }).length) * 0.75) - 1)
    const long = token({ filler })
    t.ok(long.length <= length && long.length > length - 5, `${long.length} of ${length}`)
    const chunks = long.match(/.{1,4000}/g)!.map((chunk, index) => `session.${index}=${chunk}`)
    t.same(await outcome(hmac, { cookie: chunks.join('; ') }), { userId: 'ada', via: 'cookie' })
  }
  t.ok(MAX_TOKEN >= 4 * 4000, 'four chunks')
})

t.test('forged with the shared secret’s algorithms', async t => {
  for (const [name, forgery] of Object.entries(forgeries)) {
    t.equal(await outcome(hmac, bearer(forgery)), 'SESSION_INVALID', name)
    t.equal(await outcome(hmac, bearer(forgery)), 'SESSION_INVALID', `${name}, again`)
    t.equal(await outcome(hmac, { cookie: `session=${forgery || 'x'}` }), 'SESSION_INVALID', `${name}, in a cookie`)
  }
})

t.test('forged against a public key', async t => {
  const publicPem = pemOf(rsa.publicKey)
  const der = rsa.publicKey.export({ type: 'spki', format: 'der' })
  const confusions: Record<string, string> = {
    'the PEM as a shared secret (CVE-2015-9235)': forge(HS256, good(), hs(publicPem)),
    'the PEM without its last line break': forge(HS256, good(), hs(publicPem.trim())),
    'the PEM after a space (CVE-2023-48223’s sequel)': forge(HS256, good(), hs(` ${publicPem}`)),
    'the DER as a shared secret': forge(HS256, good(), hs(der)),
    'the JWK as a shared secret (GHSA-g3jj-5cmm-3hxx)': forge(
      HS256,
      good(),
      hs(JSON.stringify(rsa.publicKey.export({ format: 'jwk' })))
    ),
    'an elliptic signature for an RSA key': forge({ alg: 'ES256' }, good(), asymmetric(p256.privateKey)),
    'a jku to fetch keys from': rs256({ jku: 'http://127.0.0.1:9/jwks' }, good({ sub: '' })),
    'an embedded key': forge(
      { alg: 'RS256', jwk: p256.publicKey.export({ format: 'jwk' }) },
      good(),
      asymmetric(p256.privateKey)
    ),
    'a PS256 signature that says RS256': forge(
      { alg: 'RS256' },
      good(),
      asymmetric(rsa.privateKey, 'sha256', { padding: 6, saltLength: 32 })
    )
  }
  for (const [name, forgery] of Object.entries(confusions)) {
    t.equal(await outcome(pem, bearer(forgery)), 'SESSION_INVALID', name)
  }
  const psychic = `${encode({ alg: 'ES256' })}.${body}.${Buffer.alloc(64).toString('base64url')}`
  t.equal(await outcome(curve, bearer(psychic)), 'SESSION_INVALID', 'a signature of zeros (CVE-2022-21449)')
  const asDer = forge({ alg: 'ES256' }, good(), asymmetric(p256.privateKey, 'sha256', { dsaEncoding: 'der' }))
  t.equal(await outcome(curve, bearer(asDer)), 'SESSION_INVALID', 'an elliptic signature in DER')
})

t.test('expired ones are told apart, once their signature holds', async t => {
  const expired = token({ exp: SECONDS - 31 })
  t.equal(await outcome(hmac, bearer(expired)), 'SESSION_EXPIRED')
  t.equal(await outcome(hmac, bearer(expired)), 'SESSION_EXPIRED', 'again')
  t.equal(await outcome(hmac, bearer(token({ exp: -1 }))), 'SESSION_EXPIRED')
  t.equal(await outcome(hmac, bearer(forge(HS256, good({ exp: 1 }), hs('x'.repeat(32))))), 'SESSION_INVALID')
  t.equal(await outcome(hmac, bearer(token({ exp: 1, iss: 'evil' }))), 'SESSION_INVALID')
})

t.test('a refusal tells the log why, but neither the token nor who it names', async t => {
  for (const forgery of [
    token({ aud: 'x', sub: 'secret-name' }),
    token({ exp: 1, sub: 'secret-name' }),
    forge(HS256, good(), hs('x'))
  ]) {
    const error = await refusal(hmac, bearer(forgery))
    t.equal(error.statusCode, 401)
    t.match(error.cause, /^token: /)
    t.notMatch(JSON.stringify({ ...error, cause: error.cause, message: error.message }), /secret-name|eyJ/)
  }
})

t.test('headers that are not quite a bearer', async t => {
  const plain = jwtSessions({ key: { secret } })
  const ada = { userId: 'ada', via: 'authorization' }
  t.same(await outcome(plain, { authorization: `bearer ${honest()}` }), ada, 'lower case')
  t.same(await outcome(plain, { authorization: `BEARER   ${honest()}` }), ada, 'upper case, spaces')
  t.equal(await outcome(plain, { authorization: 'Bearer' }), 'SESSION_INVALID')
  t.equal(await outcome(plain, { authorization: 'bearer ' }), 'SESSION_INVALID')
  t.equal(await outcome(plain, { authorization: `Bearer\t${honest()}` }), null, 'another scheme')
  t.equal(await outcome(plain, { authorization: `Bearer${honest()}` }), null, 'another scheme')
  t.equal(await outcome(plain, { authorization: 'Basic YWRhOnB3' }), null, 'Basic is not read')
  t.equal(await outcome(plain, { authorization: '' }), null)
  t.same(
    await outcome(plain, { authorization: 'Basic YWRhOnB3', cookie: `session=${honest()}` }),
    { userId: 'ada', via: 'cookie' },
    'so the cookie counts'
  )
  t.equal(
    await outcome(plain, { authorization: 'Bearer bad', cookie: `session=${honest()}` }),
    'SESSION_INVALID',
    'a bad bearer is not made good by a cookie'
  )
})
