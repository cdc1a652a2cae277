import { generateKeyPairSync } from 'node:crypto'
import t from 'tap'
import { NAMES, type Name } from '../../src/config/schema.js'
import { BASE, configOf, ec, ed25519, faultsOf, KEY, NEXT_KEY, pemOf, rsa, SHARED_SECRET } from './given.js'

/** Texts and what they become; texts and a part of what is said of them. */
interface Cases {
  with?: Record<string, string | undefined>
  right: [text: string, value: unknown][]
  wrong: [text: string, said: RegExp][]
}

const JWKS = {
  SESSION_JWT_SECRET: undefined,
  SESSION_JWT_ISSUER: 'https://id.example.com/',
  SESSION_JWT_AUDIENCE: 'app'
}
const NO_SECRET = { SESSION_JWT_SECRET: undefined }
const rejected = (said: RegExp, ...texts: string[]): [string, RegExp][] => texts.map(text => [text, said])
const COUNT = /must be a whole number from 0 to 1000000000/
const counts: Cases = {
  right: [
    ['0', 0],
    ['77', 77],
    [' 8 ', 8]
  ],
  wrong: rejected(COUNT, '-1', '1.5', '1e3', '0x10', 'many', '10 000', '1000000001', '99999999999999999999')
}
const port = (fallback: number): Cases => ({
  right: [
    [String(fallback + 1), fallback + 1],
    ['65535', 65535]
  ],
  wrong: [...rejected(/must be a whole number from 0 to 65535/, '65536', '-1', 'http', '80/tcp')]
})
const listen: Cases = {
  right: [
    ['0.0.0.0', '0.0.0.0'],
    ['::', '::'],
    ['localhost', 'localhost'],
    ['proxy.internal', 'proxy.internal']
  ],
  wrong: rejected(
    /must be an IP address/,
    'http://localhost',
    '127.0.0.1:80',
    '[::1]',
    'a b',
    '-x',
    'a..b',
    '/run/sock'
  )
}
const choices = (...words: string[]): Cases => ({
  right: words.map(word => [word, word]),
  wrong: rejected(/must be one of `/, 'nonsense', words[0]!.toUpperCase(), `${words[0]},${words[0]}`)
})
const DURATION = /must be a duration with its unit/
const SIZE = /must be a size/
const URL_FAULT = /must be a whole URL that begins with `https:\/\/` or `http:\/\/`/
const webAddress = (name: Name, also: Record<string, string | undefined>): Cases => ({
  with: also,
  right: [
    ['https://id.example.com/keys?p=x', 'https://id.example.com/keys?p=x'],
    ['http://localhost:3000/me', 'http://localhost:3000/me'],
    ['http://127.9.9.9/me', 'http://127.9.9.9/me'],
    ['http://[::1]:3000/me', 'http://[::1]:3000/me'],
    ['http://app.localhost/me', 'http://app.localhost/me']
  ],
  wrong: [
    ...rejected(URL_FAULT, 'id.example.com', 'ftp://id.example.com/', '/keys', 'https://', 'https://a b/'),
    ...rejected(/must not hold a user name or password/, 'https://user:pa55w0rd@id.example.com/'),
    ...rejected(/must not have a fragment/, 'https://id.example.com/#x'),
    ...rejected(
      new RegExp(`^${name} must be an https address, or ALLOW_HTTP_HOSTS must name its host`),
      'http://id.example.com/',
      'http://10.0.0.7/',
      'http://localhost.example.com/',
      'http://127.0.0.1.example.com/'
    )
  ]
})
const redisAddress: Cases = {
  right: [
    ['redis://cache:6379', 'redis://cache:6379'],
    ['rediss://user:p%40ss@cache.example.com/2?family=6', 'rediss://user:p%40ss@cache.example.com/2?family=6']
  ],
  wrong: [
    ...rejected(
      /must be a whole URL that begins with `redis:\/\/` or `rediss:\/\/`/,
      'cache:6379',
      'http://cache',
      '6379'
    ),
    ...rejected(/percent-encoded/, 'redis://:pa/ss@cache', 'redis://', 'redis://:100%@cache', 'redis://%ff:pass@cache'),
    ...rejected(/number of the database/, 'redis://cache/main', 'redis://cache/0#x')
  ]
}
const networks = (names: boolean): Cases => ({
  right: [
    ['10.0.0.1', ['10.0.0.1']],
    ['10.0.0.0/8, fd00::/8 ,::1', ['10.0.0.0/8', 'fd00::/8', '::1']],
    [',10.0.0.1,,10.0.0.1,', ['10.0.0.1']],
    ...(names
      ? ([['loopback,uniquelocal,linklocal', ['loopback', 'uniquelocal', 'linklocal']]] as [string, unknown][])
      : [])
  ],
  wrong: [
    ...rejected(/would trust every address/, 'true', '*'),
    ...rejected(/number of hops/, '1', '10.0.0.1,2'),
    ...rejected(/must not cover every address/, '0.0.0.0/0', '::/0'),
    ...rejected(/host names are not looked up/, 'proxy', 'false', '10.0.0.1/33', '10.0.0.1/', '::1/129', '10.0.0/8'),
    ...rejected(/must be made of addresses/, '10.0.0.0/255.0.0.0', '10.0.0.0/8/8', 'fe80::1%eth0', '010.0.0.1'),
    ...(names ? [] : rejected(/must be made of addresses, CIDRs;/, 'loopback'))
  ]
})
const oneLine: Cases = { right: [['a b', ['a b']]], wrong: rejected(/must be printable/, 'a\u0007b', 'ä') }

const CASES: Record<Name, Cases> = {
  LOGTRAIL_API_KEY: {
    right: [
      [KEY, [KEY]],
      [`${KEY},${NEXT_KEY}`, [KEY, NEXT_KEY]],
      [`${KEY}, ${KEY}`, [KEY]],
      [` ${KEY}\n${NEXT_KEY}\n`, [KEY, NEXT_KEY]]
    ],
    wrong: [
      ...rejected(/is no Logtrail key/, 'sk_live_abcdef', 'lt_test_wo_abcdefghijkl', `${KEY},nonsense-nonsense`),
      ...rejected(/placeholder/, 'lt_production_wo_xxxxxxxxxxxx', '<your key>'),
      ...rejected(/read-only/, 'lt_staging_ro_T3stOnlyNeverIssued05'),
      ...rejected(/at most two keys/, `${KEY},${NEXT_KEY},lt_staging_wo_T3stOnlyNeverIssued06`),
      ...rejected(/of one environment/, `${KEY},lt_production_wo_T3stOnlyNeverIssued07`)
    ]
  },
  LOGTRAIL_URL: {
    right: [
      ['https://api.logtrail.net/api/v1/workspace/', 'https://api.logtrail.net/api/v1/workspace'],
      ['http://127.0.0.1:4000', 'http://127.0.0.1:4000']
    ],
    wrong: [
      ...rejected(URL_FAULT, 'api.logtrail.net', 'true', 'ftp://x/'),
      ...rejected(/must not hold a user name/, 'https://me@api.logtrail.net/'),
      ...rejected(/must not have a query/, 'https://api.logtrail.net/?', 'https://api.logtrail.net/?x=1'),
      ...rejected(/must not have a fragment/, 'https://api.logtrail.net/#x'),
      ...rejected(/without `\/logs`/, 'https://api.logtrail.net/logs', 'https://api.logtrail.net/logs/bulk/'),
      ...rejected(/must be an https address/, 'http://api.logtrail.net/')
    ]
  },
  ALLOW_HTTP_HOSTS: {
    right: [
      ['app, 10.0.0.7,App.Example.com', ['app', '10.0.0.7', 'app.example.com']],
      ['fd00::7,[FD00::8]', ['[fd00::7]', '[fd00::8]']],
      ['App:3000,10.0.0.7:080,[FD00::8]:81', ['app:3000', '10.0.0.7:80', '[fd00::8]:81']]
    ],
    wrong: rejected(
      /must be a host name or an IP address/,
      ...[
        'http://app',
        'app/x',
        '*',
        '[zz]',
        'app:',
        'app:00',
        'app:65536',
        'app:http',
        ':80',
        'app:1:2',
        'http://app:80'
      ]
    )
  },
  LOGTRAIL_ENVIRONMENT: {
    right: [['staging', 'staging']],
    wrong: [
      ...rejected(/must be one of `development`, `staging`, `production`/, 'prod'),
      ...rejected(/^LOGTRAIL_API_KEY must be another key: the key is for staging/, 'production')
    ]
  },
  LOGTRAIL_ALLOW_READ_WRITE_KEY: {
    right: [
      ['true', true],
      ['false', false]
    ],
    wrong: rejected(/must be `true` or `false`/, 'yes', '1', 'TRUE')
  },
  LOGTRAIL_PLAN: choices('free', 'developer', 'professional'),
  LOGTRAIL_MAX_LOG_BYTES: {
    right: [
      ['4096', 4096],
      ['4kb', 4096]
    ],
    wrong: rejected(/must be a size .* from 200 to 1mb/, '100', '2mb', 'big', '-1')
  },
  LOGTRAIL_MAX_BATCH: { right: [['5', 5]], wrong: rejected(/whole number from 1 to/, '0', 'x') },
  LOGTRAIL_MAX_DEPTH: { right: [['5', 5]], wrong: rejected(/whole number from 1 to 100/, '0', '101') },
  LOGTRAIL_MAX_TAGS: { right: [['0', 0]], wrong: rejected(/whole number from 0 to 1000/, '-1', 'x') },
  LOGTRAIL_REQUESTS_PER_MINUTE: { right: [['60', 60]], wrong: rejected(/whole number from 1 to/, '0', '60/m') },
  LOGTRAIL_LOGS_PER_MONTH: { right: [['5000000', 5e6]], wrong: rejected(/whole number from 1 to/, '0', '5m') },
  LOGTRAIL_TIMEOUT: {
    right: [
      ['250ms', 250],
      ['2 seconds', 2000],
      ['1 minute', 60_000],
      ['1.5m', 90_000],
      ['3 SEC', 3000]
    ],
    wrong: rejected(DURATION, '10', '0', '50ms', '6m', '-1s', '1 fortnight', '1s1s', 's', '1e3ms')
  },
  SESSION_MODE: {
    right: [['jwt', 'jwt']],
    wrong: rejected(/must be one of `jwt`, `forward-auth`, `redis`, `none`/, 'JWT', 'cookie')
  },
  SESSION_COOKIE: {
    right: [
      ['__Host-session', '__Host-session'],
      ['connect.sid', 'connect.sid']
    ],
    wrong: rejected(/must be the name of a cookie/, 'a b', 'a=b', 'a;b', 'ä')
  },
  SESSION_USER_CLAIM: {
    right: [
      ['passport.user', 'passport.user'],
      ['https://example.com/uid', 'https://example.com/uid']
    ],
    wrong: [
      ...rejected(/must be the name of a claim/, 'a b', '.sub', 'user..id', 'id.'),
      ...rejected(/property of every object/, '__proto__', 'user.constructor.name')
    ]
  },
  SESSION_JWT_SECRET: {
    right: [
      [SHARED_SECRET, SHARED_SECRET],
      [` ${SHARED_SECRET} `, ` ${SHARED_SECRET} `]
    ],
    wrong: [
      ...rejected(/must be at least 32 bytes long \(it is 31\)/, SHARED_SECRET.slice(0, 31), 'x'.repeat(31)),
      ...rejected(/must be at least 32 bytes long \(it is 8\)/, 'changeme'),
      ...rejected(/a PEM public key belongs in SESSION_JWT_PUBLIC_KEY/, pemOf(rsa.publicKey)),
      ...rejected(
        /must be the shared secret itself: this is a key in JWK form/,
        `{"kty":"oct","k":"${Buffer.from(SHARED_SECRET).toString('base64url')}"}`,
        JSON.stringify({ keys: [rsa.publicKey.export({ format: 'jwk' })] })
      )
    ]
  },
  SESSION_JWT_PUBLIC_KEY: {
    with: NO_SECRET,
    right: [
      [pemOf(rsa.publicKey), pemOf(rsa.publicKey)],
      [pemOf(ec.publicKey).replaceAll('\n', '\\n'), pemOf(ec.publicKey)],
      [pemOf(ed25519.publicKey), pemOf(ed25519.publicKey)],
      [pemOf(ed25519.publicKey).replaceAll('\n', '\\n  '), pemOf(ed25519.publicKey)],
      [rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }) as string, pemOf(rsa.publicKey)]
    ],
    wrong: [
      ...rejected(/must be a public key in PEM/, 'abc', '-----BEGIN PUBLIC KEY-----\\nAAAA\\n-----END PUBLIC KEY-----'),
      ...rejected(/this is a private one/, rsa.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
      ...rejected(
        /must be an RSA key of 2048 bits or more/,
        pemOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey),
        pemOf(generateKeyPairSync('rsa-pss', { modulusLength: 1024 }).publicKey),
        pemOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey),
        pemOf(generateKeyPairSync('x25519').publicKey)
      ),
      ...rejected(
        /must be an RSA key .*; this one is marked for RSA-PSS alone, and a plain RSA key verifies PS256, PS384, PS512 too/,
        pemOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey)
      )
    ]
  },
  SESSION_JWKS_URL: webAddress('SESSION_JWKS_URL', JWKS),
  SESSION_JWT_ALGORITHMS: {
    right: [['HS256,HS512', ['HS256', 'HS512']]],
    wrong: [
      ...rejected(/must be one of `HS256`/, 'none', 'hs256', 'HS1'),
      ...rejected(/must be HS256, HS384, HS512 with SESSION_JWT_SECRET, not RS256/, 'RS256', 'HS256,RS256')
    ]
  },
  SESSION_JWT_ISSUER: oneLine,
  SESSION_JWT_AUDIENCE: oneLine,
  SESSION_JWT_CLOCK_SKEW: {
    right: [
      ['0', 0],
      ['10 s', 10_000]
    ],
    wrong: rejected(DURATION, '30', '11m')
  },
  SESSION_AUTH_URL: webAddress('SESSION_AUTH_URL', { ...NO_SECRET, SESSION_MODE: 'forward-auth' }),
  SESSION_AUTH_USER_HEADER: {
    right: [['Remote-User', 'Remote-User']],
    wrong: rejected(/must be the name of a header/, 'a b', 'x:', 'ü')
  },
  SESSION_AUTH_TIMEOUT: { right: [['1s', 1000]], wrong: rejected(DURATION, '0', '2', '2m') },
  SESSION_AUTH_CACHE: {
    right: [
      ['0', 0],
      ['1h', 3_600_000]
    ],
    wrong: rejected(DURATION, '30', '2h')
  },
  SESSION_SECRET: {
    right: [
      ['newest-of-the-secrets, older', ['newest-of-the-secrets', 'older']],
      ['newest\nolder\n', ['newest', 'older']]
    ],
    wrong: rejected(/must be printable/, 'ä', 'a\u0000b')
  },
  SESSION_REDIS_PREFIX: { right: [['app:', 'app:']], wrong: rejected(/must be printable/, 'ä') },
  SESSION_REDIS_URL: redisAddress,
  SESSION_TAG_SECRET: {
    right: [
      [SHARED_SECRET, SHARED_SECRET],
      ['b'.repeat(32), 'b'.repeat(32)]
    ],
    wrong: rejected(/must be printable, 32 bytes at least/, SHARED_SECRET.slice(0, 31), `${SHARED_SECRET}ä`)
  },
  ANONYMOUS: choices('deny', 'allow'),
  HOST: listen,
  PORT: port(8790),
  ADMIN_HOST: listen,
  ADMIN_PORT: port(9790),
  LOG_LEVEL: choices('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
  TRUST_PROXY: networks(true),
  ROUTE_PREFIX: {
    right: [
      ['/', ''],
      ['/log', '/log'],
      ['/a/b-c_d.e~f', '/a/b-c_d.e~f']
    ],
    wrong: rejected(
      /must begin with `\/`/,
      'logs',
      '/logs/',
      '//logs',
      '/a//b',
      '/a b',
      '/:id',
      '/*',
      '/a/../b',
      '/.',
      '/%61'
    )
  },
  ALLOWED_ORIGINS: {
    right: [
      ['https://app.example.com', ['https://app.example.com']],
      ['http://localhost:5173,capacitor://localhost', ['http://localhost:5173', 'capacitor://localhost']],
      ['https://[::1]:8443', ['https://[::1]:8443']]
    ],
    wrong: [
      ...rejected(/must be exact origins/, '*', 'https://*.example.com'),
      ...rejected(/must not be `null`/, 'null'),
      ...rejected(/must be an origin: scheme, host/, 'app.example.com', 'file:///x', 'https://', 'mailto:me'),
      ...rejected(/without a user name/, 'https://me@app.example.com'),
      ...rejected(
        /without path or trailing slash: `https:\/\/app.example.com`/,
        'https://app.example.com/',
        'https://app.example.com/x',
        'https://App.Example.com',
        'https://app.example.com:443',
        'HTTPS://app.example.com'
      ),
      ...rejected(/`https:\/\/xn--mller-kva.example`/, 'https://müller.example'),
      ...rejected(/`capacitor:\/\/localhost`/, 'capacitor://LOCALHOST')
    ]
  },
  BODY_LIMIT: {
    right: [
      ['1mb', 1024 ** 2],
      ['1.5 MiB', 1.5 * 1024 ** 2],
      ['2048 bytes', 2048],
      ['0.03gb', Math.round(0.03 * 1024 ** 3)]
    ],
    wrong: rejected(SIZE, '1', '1tb', '65mb', 'big', '0', '-1kb', '1 1kb')
  },
  SHUTDOWN_TIMEOUT: {
    right: [
      ['0', 0],
      ['0s', 0],
      ['1 minute', 60_000]
    ],
    wrong: rejected(DURATION, '8', '8000', '11m', '1d', '1 hour')
  },
  RATE_LIMIT_WINDOW: {
    right: [
      ['1h', 3_600_000],
      ['100ms', 100]
    ],
    wrong: rejected(DURATION, '60', '0', '99ms', '2d')
  },
  RATE_LIMIT_IP_MAX: counts,
  RATE_LIMIT_MAX: counts,
  RATE_LIMIT_LOGS_MAX: counts,
  RATE_LIMIT_ANONYMOUS_MAX: counts,
  RATE_LIMIT_ANONYMOUS_LOGS_MAX: counts,
  RATE_LIMIT_ALLOWLIST: networks(false),
  DELIVERY: choices('direct', 'pooled', 'queued'),
  QUEUE_STORE: choices('disk', 'redis'),
  QUEUE_PATH: {
    right: [
      ['/var/lib/queue', '/var/lib/queue'],
      ['queue', '/srv/queue']
    ],
    wrong: []
  },
  QUEUE_MAX_BYTES: { right: [['2gb', 2 * 1024 ** 3]], wrong: rejected(SIZE, '1000', 'all', '2000gb') },
  QUEUE_MAX_AGE: {
    right: [
      ['7 days', 604_800_000],
      ['100ms', 100]
    ],
    wrong: rejected(DURATION, '7', '99ms', '1w')
  },
  BATCH_MAX_WAIT: {
    right: [
      ['0', 0],
      ['20ms', 20]
    ],
    wrong: rejected(DURATION, '5', '2m')
  },
  POOL_MAX_PENDING: { right: [['1', 1]], wrong: rejected(/whole number from 1 to/, '0', 'x') },
  POOL_TIMEOUT: { right: [['20s', 20_000]], wrong: rejected(DURATION, '15', '0', '10ms', '6m') },
  REDIS_URL: redisAddress,
  STAMP_ACTOR: choices('replace', 'merge', 'off'),
  STAMP_CONTEXT: {
    right: [
      ['ip, user_agent,request_id,received_at,entry_id', ['ip', 'user_agent', 'request_id', 'received_at', 'entry_id']]
    ],
    wrong: rejected(/must be one of `ip`.*; it holds `x`/, 'ip,x')
  },
  MIN_LEVEL: choices('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'none'),
  REDACT_FIELDS: {
    right: [
      ['pin,iban', ['pin', 'iban']],
      ['none', []],
      [
        '+pin, token ,+iban',
        [
          ...'password,passwd,pwd,passphrase,password_confirmation,secret,token'.split(','),
          ...'authorization,api_key,private_key,session_id,cookie,card_number,cvv,ssn,pin,iban'.split(',')
        ]
      ]
    ],
    wrong: rejected(/must be the name of a field/, 'a.b', 'a b', '+pin,a.b')
  },
  REDACT_PATTERNS: {
    right: [
      ['email', ['email']],
      ['none', []],
      ['+email,ip', ['logtrail-key', 'jwt', 'card', 'assignment', 'email', 'ip']]
    ],
    wrong: [
      ...rejected(/must be one of `logtrail-key`/, 'phone', 'email,+ip', '/x/', 'none,ip'),
      ...rejected(/it holds `phone`/, '+phone')
    ]
  },
  ALLOW_FIELDS: {
    right: [['is_public,größe', ['is_public', 'größe']]],
    wrong: rejected(/name of a field/, 'a.b', 'a b')
  },
  DROP_FIELDS: {
    right: [['actor.email,target', ['actor.email', 'target']]],
    wrong: [
      ...rejected(/a field or a dotted path/, 'a..b', '.a', 'a b', 'a.'),
      ...rejected(/must do without `\*`/, 'metadata.*.price'),
      ...rejected(/`level` must not be dropped/, 'level')
    ]
  },
  OVERSIZE: choices('trim', 'reject')
}

t.strictSame(Object.keys(CASES).sort(), [...NAMES].sort(), 'every variable has its cases')

for (const name of NAMES) {
  t.test(name, async t => {
    const { right, wrong, with: also = {} } = CASES[name]
    for (const [text, value] of right) {
      const config = configOf({ ...also, [name]: text })
      if (value instanceof RegExp) t.match(config[name], value)
      else t.strictSame(config[name], value, `takes ${JSON.stringify(text)}`)
      t.equal(config.sources[name], 'env')
    }
    for (const [text, said] of wrong) {
      const faults = faultsOf({ ...also, [name]: text })
      t.ok(
        faults.some(fault => said.test(fault)),
        `refuses ${JSON.stringify(text)}: ${faults.join('; ')}`
      )
      t.ok(
        faults.every(fault => fault.length < 400),
        'in few words'
      )
    }
    const unset = { ...BASE, ...also, [name]: undefined }
    t.strictSame(faultsOf({ ...unset, [name]: '' }), faultsOf(unset), 'an empty value is as good as none')
    t.strictSame(faultsOf({ ...unset, [name]: ' \t' }), faultsOf(unset), 'and so is white space')
  })
}

t.test('what is not set', async t => {
  const { sources, ...config } = configOf({})
  t.matchOnlyStrict(
    { ...config, REDACT_FIELDS: config.REDACT_FIELDS.length },
    {
      LOGTRAIL_API_KEY: [KEY],
      LOGTRAIL_URL: 'https://api.logtrail.net/api/v1/workspace',
      ALLOW_HTTP_HOSTS: [],
      LOGTRAIL_ENVIRONMENT: 'staging',
      LOGTRAIL_ALLOW_READ_WRITE_KEY: false,
      LOGTRAIL_PLAN: 'developer',
      LOGTRAIL_MAX_LOG_BYTES: 1024,
      LOGTRAIL_MAX_BATCH: 200,
      LOGTRAIL_MAX_DEPTH: 4,
      LOGTRAIL_MAX_TAGS: 10,
      LOGTRAIL_REQUESTS_PER_MINUTE: 300,
      LOGTRAIL_LOGS_PER_MONTH: 50_000,
      LOGTRAIL_TIMEOUT: 10_000,
      SESSION_MODE: 'jwt',
      SESSION_COOKIE: 'session',
      SESSION_USER_CLAIM: 'sub',
      SESSION_JWT_SECRET: SHARED_SECRET,
      SESSION_JWT_ALGORITHMS: [],
      SESSION_JWT_ISSUER: [],
      SESSION_JWT_AUDIENCE: [],
      SESSION_JWT_CLOCK_SKEW: 30_000,
      SESSION_AUTH_USER_HEADER: 'x-auth-request-user',
      SESSION_AUTH_TIMEOUT: 2000,
      SESSION_AUTH_CACHE: 30_000,
      SESSION_SECRET: [],
      SESSION_REDIS_PREFIX: 'sess:',
      ANONYMOUS: 'deny',
      HOST: '127.0.0.1',
      PORT: 8790,
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: 9790,
      LOG_LEVEL: 'info',
      TRUST_PROXY: [],
      ROUTE_PREFIX: '/logtrail',
      ALLOWED_ORIGINS: [],
      BODY_LIMIT: 409_600,
      SHUTDOWN_TIMEOUT: 8000,
      RATE_LIMIT_WINDOW: 60_000,
      RATE_LIMIT_IP_MAX: 3000,
      RATE_LIMIT_MAX: 120,
      RATE_LIMIT_LOGS_MAX: 1000,
      RATE_LIMIT_ANONYMOUS_MAX: 30,
      RATE_LIMIT_ANONYMOUS_LOGS_MAX: 300,
      RATE_LIMIT_ALLOWLIST: [],
      DELIVERY: 'pooled',
      QUEUE_STORE: 'disk',
      QUEUE_PATH: '/srv/data/queue',
      QUEUE_MAX_BYTES: 512 * 1024 ** 2,
      QUEUE_MAX_AGE: 35 * 86_400_000,
      BATCH_MAX_WAIT: 5,
      POOL_MAX_PENDING: 10_000,
      POOL_TIMEOUT: 15_000,
      STAMP_ACTOR: 'replace',
      STAMP_CONTEXT: [],
      MIN_LEVEL: 'trace',
      REDACT_FIELDS: 15,
      REDACT_PATTERNS: ['logtrail-key', 'jwt', 'card', 'assignment'],
      ALLOW_FIELDS: [],
      DROP_FIELDS: [],
      OVERSIZE: 'trim',
      warnings: []
    }
  )
  t.strictSame(Object.keys(sources).sort(), [...NAMES].sort())
  t.equal(sources.LOGTRAIL_MAX_BATCH, 'plan')
  t.equal(sources.BODY_LIMIT, 'plan')
  t.equal(sources.LOGTRAIL_ENVIRONMENT, 'key')
  t.equal(sources.HOST, 'default')
})

t.test('what follows from other variables', async t => {
  t.equal(configOf({ LOGTRAIL_PLAN: 'free' }).BODY_LIMIT, 256 * 1024, 'at least 256 KiB')
  t.equal(configOf({ LOGTRAIL_PLAN: 'professional' }).BODY_LIMIT, 4_096_000)
  t.equal(configOf({ LOGTRAIL_PLAN: 'free', LOGTRAIL_MAX_BATCH: '90000' }).BODY_LIMIT, 4 * 1024 ** 2, 'at most 4 MiB')
  const raised = configOf({ LOGTRAIL_MAX_TAGS: '50' })
  t.equal(raised.LOGTRAIL_MAX_TAGS, 50, "a plan's limit can be overridden")
  t.equal(raised.sources.LOGTRAIL_MAX_TAGS, 'env')
  t.equal(configOf({ DELIVERY: 'queued' }).BATCH_MAX_WAIT, 1000)
  t.equal(configOf({ DELIVERY: 'direct' }).BATCH_MAX_WAIT, 0)
  t.equal(configOf({ REDIS_URL: 'redis://one' }).SESSION_REDIS_URL, 'redis://one')
  t.equal(configOf({ SESSION_REDIS_URL: 'redis://two', REDIS_URL: 'redis://one' }).SESSION_REDIS_URL, 'redis://two')
  t.equal(configOf({ NODE_ENV: 'production' }).nodeEnv, 'production')
})
