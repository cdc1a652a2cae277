import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { fromSet } from '../../src/session/jwt-keys.js'
import type { JwtKey } from '../../src/session/jwt-sessions.js'
import { CERTIFICATE, PRIVATE_KEY } from '../logtrail/certificate.js'
import {
  asymmetric,
  bearer,
  claims,
  ed25519,
  forge,
  hs,
  jwtSessions,
  outcome,
  p256,
  pemOf,
  rsa,
  secret
} from './forge.js'

const make = (key: JwtKey, more: object = {}) => jwtSessions({ key, ...more })
const ada = { userId: 'ada', via: 'authorization' }
const pss = (hash: string, saltLength: number) => asymmetric(rsa.privateKey, hash, { padding: 6, saltLength })
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' })
const p521 = generateKeyPairSync('ec', { namedCurve: 'P-521' })

t.test('every algorithm, with the kind of key it belongs to and no other', async t => {
  const keys = {
    secret: make({ secret }),
    rsa: make({ publicKey: pemOf(rsa.publicKey) }),
    p256: make({ publicKey: pemOf(p256.publicKey) }),
    p384: make({ publicKey: pemOf(p384.publicKey) }),
    p521: make({ publicKey: pemOf(p521.publicKey) }),
    ed25519: make({ publicKey: pemOf(ed25519.publicKey) })
  }
  const signers: [keyof typeof keys, string, (input: string) => string][] = [
    ['secret', 'HS256', hs(secret, 'sha256')],
    ['secret', 'HS384', hs(secret, 'sha384')],
    ['secret', 'HS512', hs(secret, 'sha512')],
    ['rsa', 'RS256', asymmetric(rsa.privateKey, 'sha256')],
    ['rsa', 'RS384', asymmetric(rsa.privateKey, 'sha384')],
    ['rsa', 'RS512', asymmetric(rsa.privateKey, 'sha512')],
    ['rsa', 'PS256', pss('sha256', 32)],
    ['rsa', 'PS384', pss('sha384', 48)],
    ['rsa', 'PS512', pss('sha512', 64)],
    ['p256', 'ES256', asymmetric(p256.privateKey, 'sha256')],
    ['p384', 'ES384', asymmetric(p384.privateKey, 'sha384')],
    ['p521', 'ES512', asymmetric(p521.privateKey, 'sha512')],
    ['ed25519', 'EdDSA', asymmetric(ed25519.privateKey, null)],
    ['ed25519', 'Ed25519', asymmetric(ed25519.privateKey, null)]
  ]
  for (const [kind, alg, sign] of signers) {
    const token = forge({ alg }, claims(), sign)
    for (const [name, source] of Object.entries(keys)) {
      t.same(await outcome(source, bearer(token)), name === kind ? ada : 'SESSION_INVALID', `${alg} with ${name}`)
    }
  }
  for (const source of Object.values(keys)) {
    t.equal((await source.check()).ok, true)
    t.equal(source.readsAuthorization, true)
    await source.close()
    await source.close()
  }
  t.match((await keys.secret.check()).message, /HMAC secret: HS256, HS384, HS512/)
  t.match((await keys.p384.check()).message, /\(P-384\): ES384/)
  t.match((await keys.rsa.check()).message, /\(RSA\)/)
})

t.test('algorithms may be narrowed, never widened', async t => {
  const narrow = make({ secret }, { algorithms: ['HS512'] })
  t.equal(await outcome(narrow, bearer(forge({ alg: 'HS256' }, claims()))), 'SESSION_INVALID')
  t.same(await outcome(narrow, bearer(forge({ alg: 'HS512' }, claims(), hs(secret, 'sha512')))), ada)
  t.same(
    await outcome(make({ secret }, { algorithms: [] }), bearer(forge({ alg: 'HS256' }, claims()))),
    ada,
    'none named'
  )

  // The configuration refuses these; whoever gets past it gains nothing by it.
  const pem = pemOf(rsa.publicKey)
  const widened: [JwtKey, string[], string][] = [
    [{ secret }, ['HS512', 'RS256'], forge({ alg: 'RS256' }, claims(), asymmetric(rsa.privateKey))],
    [{ secret }, ['none'], forge({ alg: 'none' }, claims())],
    [{ secret }, ['none'], forge({ alg: 'HS256' }, claims())],
    [{ publicKey: pem }, ['RS256', 'HS256'], forge({ alg: 'HS256' }, claims(), hs(pem))],
    [{ publicKey: pemOf(p256.publicKey) }, ['ES384'], forge({ alg: 'ES384' }, claims(), asymmetric(p384.privateKey))],
    [{ publicKey: pemOf(p256.publicKey) }, ['ES384'], forge({ alg: 'ES256' }, claims(), asymmetric(p256.privateKey))]
  ]
  for (const [key, algorithms, token] of widened) {
    t.equal(await outcome(make(key, { algorithms }), bearer(token)), 'SESSION_INVALID', algorithms.join())
  }
})

t.test('secrets that will not do, and are not quoted', async t => {
  const refused: [string, RegExp][] = [
    ['', /at least 32 bytes long \(it is 0\)/],
    ['short-secret', /at least 32 bytes long \(it is 12\)/],
    [pemOf(rsa.publicKey), /a PEM public key belongs in/],
    [JSON.stringify(rsa.publicKey.export({ format: 'jwk' })), /a key in JWK form/]
  ]
  for (const [text, why] of refused) {
    t.throws(() => make({ secret: text }), why)
    t.throws(() => make({ secret: text }), /^must be (?!.*short-secret)/)
  }
})

t.test('public keys in the forms people have them', async t => {
  const token = forge({ alg: 'RS256' }, claims(), asymmetric(rsa.privateKey))
  const pem = pemOf(rsa.publicKey)
  t.same(await outcome(make({ publicKey: pem.replaceAll('\n', '\\n') }), bearer(token)), ada, 'as in an .env file')
  t.same(await outcome(make({ publicKey: `\n${pem}\n` }), bearer(token)), ada)
  const pkcs1 = rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }).toString()
  t.same(await outcome(make({ publicKey: pkcs1 }), bearer(token)), ada, 'PKCS #1')
})

t.test('a certificate is taken for its key', async t => {
  const token = forge({ alg: 'ES256' }, claims(), asymmetric(createPrivateKey(PRIVATE_KEY)))
  t.same(await outcome(make({ publicKey: CERTIFICATE }), bearer(token)), ada)
})

t.test('public keys that will not do', async t => {
  const privatePem = rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  t.throws(() => make({ publicKey: privatePem }), /must be the public key: this is a private one/)
  t.throws(() => make({ publicKey: 'AAAA' }), /must be a public key in PEM/)
  t.throws(() => make({ publicKey: '' }), /must be a public key in PEM/)
  const small = generateKeyPairSync('rsa', { modulusLength: 1024 })
  t.throws(() => make({ publicKey: pemOf(small.publicKey) }), /must be an RSA key of 2048 bits or more/)
  const others = [
    generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
    generateKeyPairSync('ed448'),
    generateKeyPairSync('rsa-pss', { modulusLength: 2048 }),
    generateKeyPairSync('x25519')
  ]
  for (const { publicKey } of others) {
    t.throws(() => make({ publicKey: pemOf(publicKey) }), /must be an RSA key .*, an EC key on .*, or an Ed25519 key/)
  }
})

t.test('an RSA key with an exponent that is none', async t => {
  const withExponent = (e: number) => ({
    ...rsa.publicKey.export({ format: 'jwk' }),
    e: Buffer.from(e.toString(16).padStart(6, '0'), 'hex').toString('base64url')
  })
  for (const e of [0, 1, 2, 4, 65536]) {
    const jwk = withExponent(e)
    const publicKey = pemOf(createPublicKey({ key: jwk, format: 'jwk' }))
    t.throws(() => make({ publicKey }), /must be an RSA key .*; the exponent of this one is broken/, `${e}`)
    t.equal(fromSet(jwk, ['RS256', 'PS256']), undefined, 'nor is one of a set taken')
  }
  for (const e of [3, 65537]) t.ok(fromSet(withExponent(e), ['RS256']), `${e}`)
})

t.test('a claim that reaches into every object', async t => {
  t.throws(() => make({ secret }, { userClaim: '__proto__' }), /SESSION_USER_CLAIM: must not contain __proto__/)
})

t.test('issuers and audiences may be several', async t => {
  const source = make({ secret }, { issuer: ['i1', 'i2'], audience: ['a1', 'a2'] })
  t.same(await outcome(source, bearer(forge({ alg: 'HS256' }, claims({ iss: 'i2', aud: ['x', 'a1'] })))), ada)
  t.equal(await outcome(source, bearer(forge({ alg: 'HS256' }, claims({ iss: 'i3', aud: 'a1' })))), 'SESSION_INVALID')
  t.equal(await outcome(source, bearer(forge({ alg: 'HS256' }, claims({ iss: 'i1', aud: 'a3' })))), 'SESSION_INVALID')
})
