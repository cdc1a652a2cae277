import t from 'tap'
import { BASE, configOf, SHARED_SECRET } from './given.js'

const warningsOf = (...names: string[]) =>
  configOf(Object.fromEntries(names.map(name => [name, 'Zk8wQ2vL9xT4']))).warnings

t.test('slips of the hand', async t => {
  const slips = {
    RATE_LIMT_MAX: 'RATE_LIMIT_MAX',
    RATE_LIMIT_IPMAX: 'RATE_LIMIT_IP_MAX',
    LOGTRAIL_APIKEY: 'LOGTRAIL_API_KEY',
    LOGTRIAL_API_KEY: 'LOGTRAIL_API_KEY',
    LOG_TRAIL_PLAN: 'LOGTRAIL_PLAN',
    LOGTRAIL_API_KEY_FIEL: 'LOGTRAIL_API_KEY_FILE',
    SESION_MODE: 'SESSION_MODE',
    SESSION_JWT_SECRETS: 'SESSION_JWT_SECRET',
    REDAKT_FIELDS: 'REDACT_FIELDS',
    REDACT_NAMES: 'REDACT_FIELDS',
    STAMP_USER: 'STAMP_ACTOR',
    PORTT: 'PORT',
    LOGLEVEL: 'LOG_LEVEL',
    TRUSTED_PROXY: 'TRUST_PROXY',
    ALLOWED_ORIGIN: 'ALLOWED_ORIGINS',
    QUEUE_PAHT: 'QUEUE_PATH',
    ADMIN_X: 'ADMIN_HOST',
    ADMIN_PASSWORD: 'ADMIN_PORT',
    POOL_X: 'POOL_TIMEOUT',
    POOL_SIZE: 'POOL_TIMEOUT',
    ALLOW_FOO: 'ALLOW_FIELDS',
    ALLOW_ORIGINS: 'ALLOWED_ORIGINS',
    BATCH_SIZE: 'BATCH_MAX_WAIT',
    TRUST_PROXIES: 'TRUST_PROXY',
    TRUST_HOPS: 'TRUST_PROXY',
    BODY_X: 'BODY_LIMIT',
    DROP_X: 'DROP_FIELDS',
    MIN_X: 'MIN_LEVEL',
    ROUTE_X: 'ROUTE_PREFIX',
    SHUTDOWN_X: 'SHUTDOWN_TIMEOUT',
    REDIS_HOST: 'REDIS_URL',
    REDIS_PORT: 'REDIS_URL',
    REDIS_PASSWORD: 'REDIS_URL',
    LOG_LEVLE: 'LOG_LEVEL',
    PORT_FILE: undefined
  }
  for (const [slip, meant] of Object.entries(slips)) {
    const warnings = warningsOf(slip)
    if (meant === undefined) t.strictSame(warnings, [], `${slip} is too far from anything`)
    else
      t.strictSame(warnings, [`${slip} is no variable of this program and has no effect: the nearest one is ${meant}`])
  }
})

t.test('in .env too, and never with their values', async t => {
  const { warnings, ...config } = configOf({}, { '/srv/.env': 'SESSION_JWT_SECERT=Zk8wQ2vL9xT4\n' })
  t.match(warnings, [/^SESSION_JWT_SECERT is no variable .* SESSION_JWT_SECRET$/])
  t.notOk(JSON.stringify([warnings, config]).includes('Zk8wQ2vL9xT4'))
  t.notOk('SESSION_JWT_SECERT' in config)
})

t.test('beside what is missing for it', async t => {
  t.throws(() => configOf({ SESSION_MODE: undefined, SESION_MODE: SHARED_SECRET }), {
    message:
      /^The .* one fault:\n {2}SESSION_MODE is required: .*\nAlso:\n {2}SESION_MODE is no variable .* SESSION_MODE$/
  })
})

t.test('what is known, and what is somebody else’s, is passed over', async t => {
  t.strictSame(configOf(BASE).warnings, [])
  const others =
    'PATH HOME HOST USER SHELL PWD OLDPWD LANG LANGUAGE LC_ALL TERM COLORTERM HOSTNAME HOSTTYPE SHLVL LOGNAME MAIL EDITOR TZ ' +
    'DISPLAY SESSION_MANAGER XDG_SESSION_ID XDG_SESSION_TYPE DBUS_SESSION_BUS_ADDRESS DESKTOP_SESSION SSH_AUTH_SOCK ' +
    'NODE_OPTIONS NODE_VERSION YARN_VERSION NODE_EXTRA_CA_CERTS NO_PROXY HTTP_PROXY HTTPS_PROXY CI DEBUG INIT_CWD ' +
    'REDIS_PORT_6379_TCP REDIS_PORT_6379_TCP_ADDR REDIS_SERVICE_HOST REDIS_SERVICE_PORT_TCP_REDIS REDIS_MASTER_SERVICE_PORT ' +
    'REDIS_ENV_REDIS_VERSION REDIS_TLS_URL DATABASE_URL POSTGRES_PASSWORD LOG_FORMAT LOG_FILE NODE_ENV NODE_PATH ' +
    'KUBERNETES_SERVICE_HOST KUBERNETES_PORT_443_TCP_ADDR LOGTRAIL_BFF_SERVICE_HOST LOGTRAIL_BFF_SERVICE_PORT_HTTP ' +
    'LOGTRAIL_BFF_PORT_8790_TCP LOGTRAIL_BFF_PORT_8790_TCP_ADDR SESSION_SERVICE_PORT JWT_SECRET ' +
    'APP_PORT COMPUTERNAME LOGONSERVER SESSIONNAME npm_config_user_agent _ P'
  t.strictSame(warningsOf(...others.split(' ').filter(name => name !== 'HOST')), [])
  t.strictSame(configOf({ LOGTRAIL_BFF_PORT: 'tcp://10.0.0.1:8790' }).warnings, [], 'a link of Kubernetes or Docker')
  t.strictSame(configOf({ REDIS_PORT: 'tcp://10.0.0.1:6379', REDIS_NAME: '/proxy/redis' }).warnings, [])
  t.match(configOf({ REDIS_NAME: 'cache' }).warnings, [/^REDIS_NAME is no variable/])
  t.match(configOf({ LOGTRAIL_BFF_PORT: '8790' }).warnings, [/^LOGTRAIL_BFF_PORT is no variable/])
})

t.test('where Kubernetes sets one of ours, its name is said', async t => {
  t.throws(() => configOf({ ADMIN_PORT: 'tcp://10.0.0.1:80' }), { message: /ADMIN_PORT .*enableServiceLinks: false/ })
})
