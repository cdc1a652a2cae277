import { parseEnv } from 'node:util'
import t from 'tap'
import { configJson, printConfig, secretsOf } from '../../src/config/print.js'
import { NAMES } from '../../src/config/schema.js'
import { loadConfig } from '../../src/config.js'
import { configOf, ec, faultsOf, KEY, NEXT_KEY, pemOf, readFrom, SHARED_SECRET } from './given.js'

const PASSWORD = 'pa55-Zk8wQ2vL9xT4'
const SECRETS = {
  LOGTRAIL_API_KEY: `${KEY},${NEXT_KEY}`,
  SESSION_JWT_SECRET: SHARED_SECRET,
  SESSION_SECRET: `newest-${PASSWORD},older-${PASSWORD}`,
  SESSION_TAG_SECRET: `for-tags-${PASSWORD}`.padEnd(32, '-'),
  REDIS_URL: `rediss://bff:${PASSWORD}@cache.example.com:6380/2?password=${PASSWORD}`,
  SESSION_REDIS_URL: `redis://:${PASSWORD}@sessions`
}

t.test('a line for each variable, secrets masked', async t => {
  const config = configOf(
    { ...SECRETS, REDACT_PATTERNS: 'none', ROUTE_PREFIX: '/' },
    { '/srv/.env': 'PORT=1\nHOST=\n' }
  )
  const lines = printConfig(config).split('\n')
  t.equal(lines.length, NAMES.length + 1)
  const line = (name: string) => lines.find(one => one.startsWith(`${name}=`))
  t.match(
    line('LOGTRAIL_API_KEY'),
    /^LOGTRAIL_API_KEY=\*{4}\(staging\/wo\/[\da-f]{8}\),\*{4}\(staging\/wo\/[\da-f]{8}\) {2}# env$/
  )
  t.equal(line('SESSION_JWT_SECRET'), 'SESSION_JWT_SECRET=****  # env')
  t.equal(line('SESSION_SECRET'), 'SESSION_SECRET=****  # env')
  t.equal(line('SESSION_TAG_SECRET'), 'SESSION_TAG_SECRET=****  # env')
  t.equal(line('REDIS_URL'), 'REDIS_URL=rediss://****@cache.example.com:6380/2  # env')
  t.equal(line('SESSION_REDIS_URL'), 'SESSION_REDIS_URL=redis://****@sessions  # env')
  t.equal(line('PORT'), 'PORT=1  # .env')
  t.equal(line('HOST'), 'HOST=127.0.0.1  # default')
  t.equal(line('SHUTDOWN_TIMEOUT'), 'SHUTDOWN_TIMEOUT=8s  # default')
  t.equal(line('QUEUE_MAX_BYTES'), 'QUEUE_MAX_BYTES=512mb  # default')
  t.equal(line('BODY_LIMIT'), 'BODY_LIMIT=400kb  # plan')
  t.equal(line('REDACT_PATTERNS'), 'REDACT_PATTERNS=none  # env')
  t.equal(line('ROUTE_PREFIX'), 'ROUTE_PREFIX=/  # env')
  t.equal(line('SESSION_AUTH_URL'), 'SESSION_AUTH_URL=  # default')
})

t.test('what is printed reads back as the same', async t => {
  const env = {
    SESSION_JWT_SECRET: undefined,
    SESSION_JWT_PUBLIC_KEY: pemOf(ec.publicKey),
    SESSION_JWT_AUDIENCE: "the app's audience # 1,b",
    SESSION_JWT_ISSUER: 'an issuer',
    SESSION_JWT_CLOCK_SKEW: '0',
    LOGTRAIL_TIMEOUT: '1500ms',
    BODY_LIMIT: '1537',
    RATE_LIMIT_WINDOW: '2h'
  }
  const config = configOf(env)
  const printed = parseEnv(printConfig(config)) as Record<string, string>
  const again = loadConfig({ env: { ...printed, LOGTRAIL_API_KEY: KEY }, cwd: '/srv', readFile: readFrom({}) })
  for (const name of NAMES) t.strictSame(again[name], config[name], name)
})

t.test('as JSON', async t => {
  const json = configJson(configOf({ ...SECRETS, ALLOWED_ORIGINS: 'https://a.example,https://b.example' }))
  t.strictSame(Object.keys(json), NAMES)
  t.match(json, {
    PORT: { value: 8790, source: 'default' },
    ALLOWED_ORIGINS: { value: ['https://a.example', 'https://b.example'], source: 'env' },
    SHUTDOWN_TIMEOUT: { value: '8s' },
    SESSION_AUTH_URL: { value: null },
    SESSION_JWT_SECRET: { value: '****' },
    LOGTRAIL_ALLOW_READ_WRITE_KEY: { value: false }
  })
  t.equal(configJson(configOf({})).SESSION_SECRET!.value, '', 'a secret that is not set is not masked')
})

t.test('of addresses the query is masked: what lets in may stand there', async t => {
  const addresses: [given: string, shown: string][] = [
    [`https://app.example.com/me?k=${PASSWORD}`, 'https://app.example.com/me?k=****'],
    [`https://app.example.com/me?v=1&k=${PASSWORD}==&${PASSWORD}`, 'https://app.example.com/me?v=****&k=****&****'],
    [`https://app.example.com/me?${PASSWORD}?${PASSWORD}`, 'https://app.example.com/me?****'],
    ['https://app.example.com/me', 'https://app.example.com/me']
  ]
  for (const [given, shown] of addresses) {
    for (const name of ['SESSION_AUTH_URL', 'SESSION_JWKS_URL'] as const) {
      const mode = name === 'SESSION_AUTH_URL' ? 'forward-auth' : 'jwt'
      const also = { SESSION_JWT_SECRET: undefined, SESSION_JWT_ISSUER: 'i', SESSION_JWT_AUDIENCE: 'a' }
      const config = configOf({ ...also, SESSION_MODE: mode, [name]: given })
      t.equal(config[name], given, 'in use it is whole')
      t.match(printConfig(config), `\n${name}=${shown}  # env\n`)
      t.equal(configJson(config)[name]!.value, shown)
      t.notOk(config.warnings.join().includes(PASSWORD))
      for (const wrong of [given.replace('https', 'http'), given.replace('//', `//u:${PASSWORD}@`), `${given}#x`]) {
        const said = faultsOf({ ...also, SESSION_MODE: mode, [name]: wrong }).join()
        t.match(said, new RegExp(`^${name} must`))
        t.notOk(said.includes(PASSWORD))
      }
    }
  }
  t.match(printConfig(configOf()), '\nLOGTRAIL_URL=https://api.logtrail.net/api/v1/workspace  # default\n')
})

t.test('no secret in anything that is shown', async t => {
  const config = configOf(SECRETS)
  const hidden = [KEY, NEXT_KEY, KEY.slice(14), SHARED_SECRET, PASSWORD, SHARED_SECRET.slice(4, 16), KEY.slice(-8)]
  const shown = [printConfig(config), JSON.stringify(configJson(config)), ...config.warnings]
  for (const secret of hidden) t.notOk(shown.some(text => text.includes(secret)))
  t.strictSame(secretsOf(config).length, 8)
  t.ok(secretsOf(config).includes(SHARED_SECRET))

  // Secrets in faulty spellings, and each in every other variable: by a slip of the hand it could get there.
  const misplaced = [
    KEY,
    `${KEY}x!`,
    SHARED_SECRET,
    `redis://:${PASSWORD}@h h`,
    `https://u:${PASSWORD}@x/#`,
    `-${PASSWORD}-${PASSWORD}`
  ]
  for (const text of misplaced) {
    const said = faultsOf(Object.fromEntries(NAMES.map(name => [name, text]))).join('\n')
    t.match(said, /\bPORT must be/)
    for (const secret of [KEY.slice(14), SHARED_SECRET, PASSWORD]) t.notOk(said.includes(secret))
  }
  for (const name of NAMES)
    t.notOk(
      faultsOf({ [name]: KEY })
        .join('\n')
        .includes(KEY.slice(14)),
      name
    )
})
