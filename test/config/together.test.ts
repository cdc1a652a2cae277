import { generateKeyPairSync } from 'node:crypto'
import t, { type Test } from 'tap'
import { ConfigError, loadConfig, loadPart } from '../../src/config.js'
import {
  configOf,
  DEVELOPMENT_KEY,
  ec,
  ed25519,
  faultsOf,
  KEY,
  PRODUCTION_KEY,
  pemOf,
  readFrom,
  rsa,
  SHARED_SECRET
} from './given.js'

type Env = Record<string, string | undefined>

function refused(t: Test, env: Env, ...said: RegExp[]) {
  const faults = faultsOf(env)
  t.equal(faults.length, said.length, faults.join('\n'))
  for (const [i, one] of said.entries()) t.match(faults[i], one)
}

const JWKS = { SESSION_JWT_SECRET: undefined, SESSION_JWKS_URL: 'https://id.example.com/keys' }
const WITHOUT = { SESSION_JWT_SECRET: undefined }

t.test('all faults at once, in the order of the table, each with its variable', async t => {
  const env = {
    LOGTRAIL_URL: 'http://logs.example.com',
    RATE_LIMIT_MAX: 'many',
    PORT: '99999',
    TRUST_PROXY: 'true,3',
    ALLOWED_ORIGINS: '*',
    SESSION_MODE: 'jwt',
    SESSION_JWKS_URL: 'https://id.example.com/keys',
    SESSION_SECRET_FILE: '/run/secrets/none'
  }
  try {
    loadConfig({ env, cwd: '/srv', readFile: readFrom({}) })
    t.fail('should have been refused')
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    t.strictSame(
      error.faults.map(({ variable }) => variable),
      [
        'LOGTRAIL_API_KEY',
        'LOGTRAIL_URL',
        'LOGTRAIL_PLAN',
        'SESSION_JWT_ISSUER',
        'SESSION_JWT_AUDIENCE',
        'SESSION_SECRET_FILE',
        'PORT',
        'TRUST_PROXY',
        'TRUST_PROXY',
        'ALLOWED_ORIGINS',
        'RATE_LIMIT_MAX'
      ]
    )
    t.match(error.message, /^The configuration is wrong, 11 faults:\n {2}LOGTRAIL_API_KEY is required: /)
    for (const { variable, message } of error.faults) t.ok(error.message.includes(`\n  ${variable} ${message}`))
  }
  t.throws(() => configOf({ PORT: 'x' }), { message: /^The configuration is wrong, one fault:\n {2}PORT must be/ })
})

t.test('no fault hides another', async t => {
  const two = { SESSION_JWT_PUBLIC_KEY: pemOf(rsa.publicKey) }
  const only = /^SESSION_JWT_SECRET must be the only source of keys, but SESSION_JWT_PUBLIC_KEY is set too/
  for (const [mode, said] of [
    [undefined, /^SESSION_MODE is required/],
    ['JWT', /^SESSION_MODE must be one of/]
  ] as const) {
    refused(t, { SESSION_MODE: mode, ...two }, said, only)
    refused(t, { ...JWKS, SESSION_MODE: mode }, said, /^SESSION_JWT_ISSUER is required/, /^SESSION_JWT_AUDIENCE is/)
    refused(t, { SESSION_MODE: mode, SESSION_JWT_ALGORITHMS: 'RS256' }, said, /^SESSION_JWT_ALGORITHMS must be HS256/)
    refused(t, { ...WITHOUT, SESSION_MODE: mode }, said)
  }

  const readOnly = KEY.replace('_wo_', '_ro_')
  const malformed = /^LOGTRAIL_API_KEY is no Logtrail key/
  refused(t, { LOGTRAIL_API_KEY: `lt_nonsense,${readOnly}` }, malformed, /^LOGTRAIL_API_KEY must be .* read-only key/)
  refused(t, { LOGTRAIL_API_KEY: `lt_nonsense,${KEY}` }, malformed)
  refused(
    t,
    { ...WITHOUT, SESSION_MODE: 'none', LOGTRAIL_API_KEY: `${PRODUCTION_KEY},lt_nonsense` },
    malformed,
    /^SESSION_MODE must not be `none` with a production key/
  )
})

t.test('no fault is told twice', async t => {
  refused(t, { LOGTRAIL_API_KEY: '<your key>' }, /^LOGTRAIL_API_KEY is a placeholder/)
  const part = () =>
    loadPart({ env: { LOGTRAIL_API_KEY: '<your key>' }, cwd: '/srv', readFile: readFrom({}) }, ['LOGTRAIL_API_KEY'])
  t.throws(part, { message: /^The configuration is wrong, one fault:/ })
})

t.test('two sources of keys are a fault in every mode, whether it uses them or not', async t => {
  const two = { SESSION_JWT_PUBLIC_KEY: pemOf(rsa.publicKey) }
  const only = /^SESSION_JWT_SECRET must be the only source of keys, but SESSION_JWT_PUBLIC_KEY is set too/
  refused(t, { ...two, SESSION_MODE: 'forward-auth', SESSION_AUTH_URL: 'https://app.example.com/me' }, only)
  refused(t, { ...two, SESSION_MODE: 'redis', SESSION_SECRET: SHARED_SECRET, REDIS_URL: 'redis://one' }, only)
  refused(t, { ...two, SESSION_MODE: 'none' }, only)
  const unused = { ...JWKS, SESSION_MODE: 'none', SESSION_JWT_ALGORITHMS: 'HS256' }
  t.match(
    configOf(unused).warnings,
    [
      /whoever reaches/,
      /^SESSION_JWKS_URL is set but has no effect/,
      /^SESSION_JWT_ALGORITHMS is set but has no effect/
    ],
    'what one source needs is asked for where it is used'
  )
})

t.test('what is mandatory', async t => {
  for (const name of ['LOGTRAIL_API_KEY', 'LOGTRAIL_PLAN', 'SESSION_MODE']) {
    refused(t, { [name]: undefined, SESSION_JWT_SECRET: SHARED_SECRET }, new RegExp(`^${name} is required: `))
  }
})

t.test('key policy', async t => {
  const sessions = { SESSION_MODE: 'jwt' }
  refused(t, { ...sessions, LOGTRAIL_API_KEY: DEVELOPMENT_KEY, NODE_ENV: 'production' }, /NODE_ENV is production/)
  t.ok(
    configOf({ LOGTRAIL_API_KEY: DEVELOPMENT_KEY, NODE_ENV: 'production', LOGTRAIL_ENVIRONMENT: 'development' }),
    'unless it is meant'
  )
  const readWrite = PRODUCTION_KEY.replace('_wo_', '_rw_')
  refused(t, { LOGTRAIL_API_KEY: readWrite }, /^LOGTRAIL_API_KEY must be another key: a read-write key/)
  t.match(configOf({ LOGTRAIL_API_KEY: readWrite, LOGTRAIL_ALLOW_READ_WRITE_KEY: 'true' }).warnings, [
    /may also read logs/
  ])
  t.match(configOf({ LOGTRAIL_API_KEY: KEY.replace('_wo_', '_rw_') }).warnings, [/^LOGTRAIL_API_KEY: .*\(rw\)/])
})

t.test('a key that seems to be made up is taken, and warned about in production', async t => {
  for (const random of ['test123', 'abc123', 'a'.repeat(32), 'dummy-dummy-dummy']) {
    const { warnings } = configOf({ LOGTRAIL_API_KEY: `lt_production_wo_${random}` })
    t.match(warnings, [/^LOGTRAIL_API_KEY: a key of production seems to be made up/])
    t.notOk(warnings.join().includes(random))
    t.strictSame(configOf({ LOGTRAIL_API_KEY: `lt_development_wo_${random}` }).warnings, [])
  }
  t.strictSame(configOf({ LOGTRAIL_API_KEY: PRODUCTION_KEY }).warnings, [])
})

t.test('jwt: exactly one source of keys', async t => {
  const pem = pemOf(rsa.publicKey)
  refused(t, WITHOUT, /^SESSION_MODE must come with one of SESSION_JWT_SECRET, /)
  refused(
    t,
    { SESSION_JWT_PUBLIC_KEY: pem },
    /^SESSION_JWT_SECRET must be the only source of keys, but SESSION_JWT_PUBLIC_KEY is set too/
  )
  refused(
    t,
    {
      SESSION_JWT_PUBLIC_KEY: pem,
      SESSION_JWKS_URL: 'https://id.example.com/',
      SESSION_JWT_ISSUER: 'i',
      SESSION_JWT_AUDIENCE: 'a'
    },
    /but SESSION_JWT_PUBLIC_KEY and SESSION_JWKS_URL are set too/
  )
  refused(t, { SESSION_JWT_SECRET: 'short', SESSION_JWT_PUBLIC_KEY: pem }, /at least 32 bytes/, /only source of keys/)
})

t.test('jwt: a key set needs issuer and audience', async t => {
  refused(t, JWKS, /^SESSION_JWT_ISSUER is required with SESSION_JWKS_URL/, /^SESSION_JWT_AUDIENCE is required/)
  refused(t, { ...JWKS, SESSION_JWT_ISSUER: 'i' }, /^SESSION_JWT_AUDIENCE/)
  refused(t, { ...JWKS, SESSION_JWT_ISSUER: 'ä', SESSION_JWT_AUDIENCE: 'a' }, /^SESSION_JWT_ISSUER must be printable/)
  t.ok(configOf({ ...JWKS, SESSION_JWT_ISSUER: 'i', SESSION_JWT_AUDIENCE: 'a' }))
})

t.test('jwt: algorithms of the kind of key alone', async t => {
  const keys: [pem: string, able: string, unable: string][] = [
    [pemOf(rsa.publicKey), 'RS256,RS512,PS384', 'HS256'],
    [pemOf(ec.publicKey), 'ES256', 'ES384'],
    [pemOf(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey), 'ES384', 'ES256'],
    [pemOf(generateKeyPairSync('ec', { namedCurve: 'P-521' }).publicKey), 'ES512', 'RS256'],
    [pemOf(ed25519.publicKey), 'EdDSA,Ed25519', 'ES256']
  ]
  for (const [pem, able, unable] of keys) {
    const env = { ...WITHOUT, SESSION_JWT_PUBLIC_KEY: pem }
    t.ok(configOf({ ...env, SESSION_JWT_ALGORITHMS: able }))
    refused(
      t,
      { ...env, SESSION_JWT_ALGORITHMS: unable },
      new RegExp(`^SESSION_JWT_ALGORITHMS must be .* with this SESSION_JWT_PUBLIC_KEY, not ${unable}$`)
    )
  }
  const jwks = { ...JWKS, SESSION_JWT_ISSUER: 'i', SESSION_JWT_AUDIENCE: 'a' }
  t.ok(configOf({ ...jwks, SESSION_JWT_ALGORITHMS: 'RS256,ES256,EdDSA' }))
  refused(t, { ...jwks, SESSION_JWT_ALGORITHMS: 'RS256,HS256' }, /with public keys with SESSION_JWKS_URL, not HS256/)
  const broken = { ...WITHOUT, SESSION_JWT_PUBLIC_KEY: 'nonsense', SESSION_JWT_ALGORITHMS: 'HS256' }
  refused(t, broken, /^SESSION_JWT_PUBLIC_KEY must be a public key/)
})

t.test('jwt: a secret that anybody could guess is taken, and warned about without a word of it', async t => {
  const weak = [
    'a'.repeat(32),
    'x'.repeat(64),
    'test-secret-that-is-at-least-32-bytes-long!!',
    'super-secret-jwt-signing-key-for-tests-0123456789',
    'my-very-secret-session-signing-key-1234',
    'example-session-secret-0123456789abcdef',
    'your-256-bit-secret-goes-here-please',
    'a-string-secret-at-least-256-bits-long',
    '<the secret of the app that signs tokens>',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a template leaves behind
    '${JWT_SECRET_OF_THE_APPLICATION_ITSELF}'
  ]
  for (const secret of weak) {
    for (const env of [{}, { NODE_ENV: 'production', LOGTRAIL_API_KEY: PRODUCTION_KEY }]) {
      const { SESSION_JWT_SECRET, warnings } = configOf({ ...env, SESSION_JWT_SECRET: secret })
      t.equal(SESSION_JWT_SECRET, secret)
      t.match(warnings, [/^SESSION_JWT_SECRET looks like a placeholder .* make one with `openssl rand -base64 48`/])
      t.notOk(warnings.join().includes(secret))
    }
  }
  t.strictSame(configOf({ SESSION_JWT_SECRET: SHARED_SECRET }).warnings, [])
})

t.test('forward-auth and redis', async t => {
  refused(
    t,
    { ...WITHOUT, SESSION_MODE: 'forward-auth' },
    /^SESSION_AUTH_URL is required with SESSION_MODE=forward-auth/
  )
  const redis = { ...WITHOUT, SESSION_MODE: 'redis' }
  refused(t, redis, /^SESSION_SECRET is required/, /^SESSION_REDIS_URL or REDIS_URL is required/)
  refused(
    t,
    { ...redis, SESSION_SECRET: SHARED_SECRET, SESSION_REDIS_URL: 'nonsense' },
    /^SESSION_REDIS_URL must be a whole/
  )
  t.equal(configOf({ ...redis, SESSION_SECRET: SHARED_SECRET, REDIS_URL: 'redis://one' }).warnings.length, 0)
  for (const weak of ['keyboard cat', 'b7Tq', `${SHARED_SECRET},b7Tq`]) {
    const { warnings } = configOf({ ...redis, SESSION_SECRET: weak, SESSION_REDIS_URL: 'redis://two' })
    t.match(warnings, [/^SESSION_SECRET is a placeholder or shorter than 32 bytes/])
  }
})

t.test('tags that hang on the API key are warned about where replicas share limits', async t => {
  const shared = { ...WITHOUT, REDIS_URL: 'redis://one' }
  const forwardAuth = { ...shared, SESSION_MODE: 'forward-auth', SESSION_AUTH_URL: 'https://app.example/me' }
  const publicKey = { ...shared, SESSION_MODE: 'jwt', SESSION_JWT_PUBLIC_KEY: pemOf(ec.publicKey) }
  for (const env of [forwardAuth, publicKey]) {
    t.match(configOf(env).warnings, [/^SESSION_TAG_SECRET is not set: .* another API key .*401 .* counted twice/])
    t.strictSame(configOf({ ...env, SESSION_TAG_SECRET: SHARED_SECRET }).warnings, [])
    t.strictSame(configOf({ ...env, REDIS_URL: undefined }).warnings, [])
  }
  t.strictSame(configOf({ ...shared, SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SHARED_SECRET }).warnings, [])
  t.strictSame(configOf({ ...shared, SESSION_MODE: 'redis', SESSION_SECRET: SHARED_SECRET }).warnings, [])
  t.match(configOf({ ...shared, SESSION_MODE: 'none' }).warnings, [/whoever reaches/], 'there is nobody to tell apart')
  t.match(configOf({ ...shared, SESSION_MODE: 'none', SESSION_TAG_SECRET: SHARED_SECRET }).warnings, [
    /whoever reaches/,
    /^SESSION_TAG_SECRET is set but has no effect with SESSION_MODE=none/
  ])
  const { warnings } = configOf({ SESSION_TAG_SECRET: 'your-secret-your-secret-your-secret' })
  t.match(warnings, [/^SESSION_TAG_SECRET looks like a placeholder .* `openssl rand -base64 48`/])
})

t.test('none', async t => {
  const none = { ...WITHOUT, SESSION_MODE: 'none' }
  refused(t, { ...none, LOGTRAIL_API_KEY: PRODUCTION_KEY }, /^SESSION_MODE must not be `none` with a production key/)
  t.ok(configOf({ ...none, LOGTRAIL_API_KEY: PRODUCTION_KEY, ANONYMOUS: 'allow' }))
  t.match(configOf(none).warnings, [/whoever reaches this proxy may log/])
  refused(t, { ...none, LOGTRAIL_API_KEY: 'lt_production' }, /^LOGTRAIL_API_KEY is no Logtrail key/)
})

t.test('plain http, to named hosts alone', async t => {
  const env = { LOGTRAIL_URL: 'http://logtrail-stand-in:4000/api' }
  refused(
    t,
    env,
    /^LOGTRAIL_URL must be an https address, or ALLOW_HTTP_HOSTS must name its host \(`logtrail-stand-in`\)/
  )
  t.ok(configOf({ ...env, ALLOW_HTTP_HOSTS: 'app,Logtrail-Stand-In' }))
  t.ok(configOf({ LOGTRAIL_URL: 'http://[fd00:0::7]/', ALLOW_HTTP_HOSTS: 'fd00::7' }))
  t.ok(configOf({ ...env, ALLOW_HTTP_HOSTS: 'logtrail-stand-in:4000' }), 'also by its port')
  t.ok(configOf({ LOGTRAIL_URL: 'http://stand-in/api', ALLOW_HTTP_HOSTS: 'stand-in:80' }))
  t.ok(configOf({ LOGTRAIL_URL: 'http://[fd00::7]:81/', ALLOW_HTTP_HOSTS: '[fd00::7]:81' }))
  refused(t, { ...env, ALLOW_HTTP_HOSTS: 'logtrail-stand-in:4001' }, /^LOGTRAIL_URL must be an https address/)
  refused(t, { LOGTRAIL_URL: 'http://stand-in/', ALLOW_HTTP_HOSTS: 'stand-in:8080' }, /^LOGTRAIL_URL must be an https/)
})

t.test('two listeners on one port', async t => {
  refused(t, { PORT: '80', ADMIN_PORT: '80' }, /^ADMIN_PORT must be another port than PORT, which is 80 too/)
  refused(t, { PORT: '80', ADMIN_PORT: '80', HOST: '0.0.0.0' }, /^ADMIN_PORT/)
  refused(t, { PORT: '80', ADMIN_PORT: '80', ADMIN_HOST: '::' }, /^ADMIN_PORT/)
  t.ok(configOf({ PORT: '80', ADMIN_PORT: '80', HOST: '10.0.0.1', ADMIN_HOST: '10.0.0.2' }))
  t.ok(configOf({ PORT: '0', ADMIN_PORT: '0' }))
})

t.test('delivery', async t => {
  const queued = { DELIVERY: 'queued', QUEUE_STORE: 'redis' }
  refused(t, queued, /^REDIS_URL is required with QUEUE_STORE=redis/)
  refused(t, { ...queued, REDIS_URL: 'nonsense' }, /^REDIS_URL must be a whole URL/)
  t.ok(configOf({ ...queued, REDIS_URL: 'redis://one' }))
  t.match(configOf({ POOL_TIMEOUT: '5s' }).warnings, [/^POOL_TIMEOUT is shorter than LOGTRAIL_TIMEOUT/])
  t.match(configOf({ BODY_LIMIT: '1kb', LOGTRAIL_MAX_LOG_BYTES: '2kb' }).warnings, [/^BODY_LIMIT is smaller/])
})

t.test('what is set for another mode is warned about', async t => {
  const { warnings } = configOf({
    SESSION_AUTH_URL: 'https://app.example.com/me',
    SESSION_SECRET: SHARED_SECRET,
    QUEUE_MAX_AGE: '1d',
    QUEUE_PATH: '/data',
    RATE_LIMIT_ANONYMOUS_MAX: '1'
  })
  t.strictSame(warnings, [
    'SESSION_AUTH_URL is set but has no effect with SESSION_MODE=jwt',
    'SESSION_SECRET is set but has no effect with SESSION_MODE=jwt',
    'QUEUE_MAX_AGE is set but has no effect with DELIVERY=pooled',
    'RATE_LIMIT_ANONYMOUS_MAX is set but has no effect with ANONYMOUS=deny'
  ])
  t.strictSame(configOf({ RATE_LIMIT_ANONYMOUS_MAX: '1', ANONYMOUS: 'allow' }).warnings, [])
  t.match(
    configOf({ ...WITHOUT, SESSION_MODE: 'none', SESSION_COOKIE: 'x', RATE_LIMIT_ANONYMOUS_MAX: '1' }).warnings,
    [/whoever reaches/, /^SESSION_COOKIE is set but has no effect with SESSION_MODE=none/],
    'without sessions everybody is anonymous'
  )
})
