import { createHmac } from 'node:crypto'
import { connect } from 'node:net'
import { compare, printRows, type Scenario } from './compare.js'
import { type Contender, HEADERS, ours, SECRET, SINGLE } from './contenders.js'
import { freePort, installed, LOAD_CPU, peer, type Running, start, stop } from './machine.js'

const ID = 'a-session-id-of-32-characters-00'
/** As express-session with Passport and connect-redis store it. */
const STORED = JSON.stringify({
  cookie: {
    originalMaxAge: 86_400_000,
    expires: '2999-01-01T00:00:00.000Z',
    httpOnly: true,
    path: '/',
    sameSite: 'lax'
  },
  passport: { user: 'user_123' },
  csrf: 'bFh2VkRkbGs4Q1pVZnd0ag',
  cart: { id: 'cart_8812', items: 3 }
})
const SIGNED = `${ID}.${createHmac('sha256', SECRET).update(ID).digest('base64').replace(/=+$/, '')}`

/**
 * What each kind of session and limits over replicas cost, against `jwt` with limits of one process. Redis and the app's session
 * address run beside load and upstream: only this program's own CPU counts.
 */
export async function benchSessions(how: Pick<Scenario, 'rounds' | 'seconds'>): Promise<void> {
  const auth = await start(LOAD_CPU, [process.execPath, peer('auth.mjs')], await freePort())
  const redis = installed('redis-server') ? await startRedis() : undefined
  const url = `redis://127.0.0.1:${redis?.port}`
  const jwt = { ...ours('pooled'), name: 'jwt, local limits' }
  const asking: Contender = {
    ...ours('pooled', { SESSION_MODE: 'forward-auth', SESSION_AUTH_URL: `http://127.0.0.1:${auth.port}/session` }),
    name: 'forward-auth, warm cache, local limits'
  }
  const stored: Contender = {
    ...ours('pooled', {
      SESSION_MODE: 'redis',
      SESSION_JWT_SECRET: '',
      SESSION_SECRET: SECRET,
      SESSION_COOKIE: 'connect.sid',
      SESSION_USER_CLAIM: 'passport.user',
      SESSION_REDIS_URL: url
    }),
    name: 'redis sessions, local limits',
    headers: { ...HEADERS, Cookie: `theme=dark; connect.sid=s%3A${encodeURIComponent(SIGNED)}` }
  }
  const shared: Contender = { ...ours('pooled', { REDIS_URL: url }), name: 'jwt, limits over replicas' }
  const contenders = [jwt, asking, ...[stored, shared].map(one => (redis ? one : { ...one, start: undefined }))]
  try {
    const what: Scenario = { contenders, against: [jwt], path: '/logtrail/logs', body: SINGLE }
    printRows(
      'Sessions and limits over replicas: pooled, one entry',
      await compare({ ...how, ...what }),
      [jwt],
      contenders
    )
  } finally {
    await stop(auth)
    if (redis) await stop(redis)
  }
}

async function startRedis(): Promise<Running> {
  const settings = ['--bind', '127.0.0.1', '--save', '', '--appendonly', 'no']
  const port = await freePort()
  return start(LOAD_CPU, ['redis-server', '--port', String(port), ...settings], port, {}, store)
}

/** Puts the session into Redis, in its own protocol. */
function store(port: number): Promise<void> {
  const words = ['SET', `sess:${ID}`, STORED]
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('error', reject)
    socket.on('data', data => {
      socket.end()
      if (String(data).startsWith('+OK')) resolve()
      else reject(new Error(`Redis answered ${data}`))
    })
    socket.write(`*3\r\n${words.map(word => `$${word.length}\r\n${word}\r\n`).join('')}`)
  })
}
