import { ASYMMETRIC, HMAC } from '../../session/key-material.js'
import { choice, duration, list, plain, text, url } from '../forms.js'
import { always, maybe } from '../variable.js'

const JWT = { when: ['SESSION_MODE', 'jwt'] as const }
const FORWARD_AUTH = { when: ['SESSION_MODE', 'forward-auth'] as const }
const REDIS = { when: ['SESSION_MODE', 'redis'] as const }

/** Field names and cookie names are tokens: RFC 9110 section 5.6.2, RFC 6265 section 4.1.1. */
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/
const ONE_LINE = /^[\x20-\x7e]{1,1024}$/
const LONG_LINE = /^[\x20-\x7e]{32,1024}$/

/** Who the browser's user is, asked of the session that the app already has. */
export const session = {
  SESSION_MODE: always(
    choice('jwt', 'forward-auth', 'redis', 'none'),
    undefined,
    'What a session is: `jwt`, a signed token; `forward-auth`, whatever an address of the app says; `redis`, a session of express-session or @fastify/session; `none`, refused with a production key unless `ANONYMOUS=allow`.',
    { mandatory: true }
  ),
  SESSION_COOKIE: always(
    text(TOKEN, 'the name of a cookie'),
    'session',
    'The cookie that carries the session, also in numbered chunks (`name.0`, `name_0`). `Authorization: Bearer` is read too in `jwt` and `forward-auth`.',
    { when: ['SESSION_MODE', 'jwt', 'forward-auth', 'redis'] }
  ),
  SESSION_USER_CLAIM: always(
    plain('claim'),
    'sub',
    'Where the user id is: a claim, or a dotted path (`passport.user`, `user.id`).',
    { when: ['SESSION_MODE', 'jwt', 'forward-auth', 'redis'] }
  ),
  SESSION_JWT_SECRET: maybe(
    plain('sharedSecret'),
    'jwt: the shared secret of HS256, HS384 or HS512, 32 bytes at least. One of this, the public key or the key set.',
    { ...JWT, secret: true }
  ),
  SESSION_JWT_PUBLIC_KEY: maybe(
    plain('publicKey'),
    'jwt: the public key in PEM, its line breaks real or written `\\n`: RSA (2048 bits at least), EC or Ed25519.',
    { ...JWT, file: true }
  ),
  SESSION_JWKS_URL: maybe(
    url(['https', 'http']),
    'jwt: address of the key set. It needs `SESSION_JWT_ISSUER` and `SESSION_JWT_AUDIENCE`.',
    JWT
  ),
  SESSION_JWT_ALGORITHMS: always(
    list(choice(...HMAC, ...ASYMMETRIC)),
    '',
    'jwt: the algorithms accepted, where that is to be fewer than the key can do.',
    { ...JWT, otherwise: "the key's family" }
  ),
  SESSION_JWT_ISSUER: always(
    list(text(ONE_LINE, 'printable')),
    '',
    'jwt: who must have issued the token (`iss`), any of these.',
    JWT
  ),
  SESSION_JWT_AUDIENCE: always(
    list(text(ONE_LINE, 'printable')),
    '',
    'jwt: for whom the token must be (`aud`), any of these.',
    JWT
  ),
  SESSION_JWT_CLOCK_SKEW: always(
    duration('0', '10m'),
    '30s',
    'jwt: how far the clocks may differ. `exp` is required in any case.',
    JWT
  ),
  SESSION_AUTH_URL: maybe(
    url(['https', 'http']),
    'forward-auth: an address of the app, asked with the session cookie or `Authorization` alone. A 2xx that names the user lets in; a 2xx without one, 3xx, 401 and 403 refuse; anything else is a 503.',
    FORWARD_AUTH
  ),
  SESSION_AUTH_USER_HEADER: always(
    text(TOKEN, 'the name of a header'),
    'x-auth-request-user',
    'forward-auth: the answer header with the user id. Without it the id is looked for in a JSON body, at `SESSION_USER_CLAIM`.',
    FORWARD_AUTH
  ),
  SESSION_AUTH_TIMEOUT: always(
    duration('50ms', '1m'),
    '2s',
    'forward-auth: how long the app may take; then a 503.',
    FORWARD_AUTH
  ),
  SESSION_AUTH_CACHE: always(
    duration('0', '1h'),
    '30s',
    'forward-auth: how long an answer holds, so how late a logout is noticed; `0` asks every time.',
    FORWARD_AUTH
  ),
  SESSION_SECRET: always(
    list(text(ONE_LINE, 'printable'), { lines: true }),
    '',
    "redis: the secret that signs the app's session cookie, or several, newest first.",
    { ...REDIS, secret: true }
  ),
  SESSION_REDIS_PREFIX: always(
    text(ONE_LINE, 'printable'),
    'sess:',
    'redis: what the keys of sessions begin with.',
    REDIS
  ),
  SESSION_REDIS_URL: maybe(
    url(['redis', 'rediss']),
    "redis: the app's session store, where it is another Redis (a cache may evict, a queue must not).",
    { ...REDIS, secret: true, otherwise: '`REDIS_URL`' }
  ),
  SESSION_TAG_SECRET: maybe(
    text(LONG_LINE, 'printable, 32 bytes at least'),
    'What keys `X-Session-Tag` and the names of users in Redis, 32 bytes at least, the same for all replicas. By the API key, as it is read at start, both change with a start after a rotation.',
    {
      when: ['SESSION_MODE', 'jwt', 'forward-auth', 'redis'],
      secret: true,
      otherwise: '`SESSION_JWT_SECRET`, else the last `SESSION_SECRET`, else the API key'
    }
  ),
  ANONYMOUS: always(
    choice('deny', 'allow'),
    'deny',
    '`allow` lets in who has no session, under smaller limits by address. A session that is not valid is still refused.'
  )
}
