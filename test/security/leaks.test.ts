import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { showConfig } from '../../src/commands/show-config.js'
import type { Fault } from '../helper/logtrail/logtrail.js'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { entry, type Program, SECRET, sign, startProxy } from '../helper/proxy.js'
import { raw } from '../helper/raw.js'

/**
 * Every byte that leaves, but for those that go to Logtrail: answers, log lines at trace, metrics, status, the printed
 * configuration. After a broad mix of good, bad and broken requests all of it is searched for what must never be there.
 */
const USER = 'ada.lovelace@analytical.example'
const MARK = 'MARKOFTHEBODY'
const TOKEN = sign({ sub: USER, email: 'private@analytical.example' })
const FORGED = sign({ sub: `${USER}-forged` }, 'another secret that is long enough for it')
const EXPIRED = sign({ sub: `${USER}-expired`, exp: 1_000_000_000 })

const FAULTS: Fault[] = [
  { kind: 'reset-before' },
  { kind: 'reset-after' },
  { kind: 'store-cut' },
  { kind: 'hang' },
  { kind: 'garbage' },
  { kind: 'portal' },
  { kind: 'echo-key' },
  { kind: 'huge' },
  { kind: 'redirect' },
  { kind: 'status', status: 400, message: 'refused' },
  { kind: 'status', status: 500 },
  { kind: 'status', status: 502, body: 'html' }
]

async function everything(program: Program): Promise<string[]> {
  const said: string[] = []
  const keep = async (asked: ReturnType<Program['post']>) => {
    const { status, headers, text } = await asked
    said.push(`${status}\n${[...headers].map(pair => pair.join(': ')).join('\n')}\n\n${text}`)
  }
  const marked = (more: object = {}) =>
    entry({
      message: `${MARK} in a message`,
      metadata: { password: `${MARK}-password`, [`${MARK}_name`]: 1, deep: { token: MARK } },
      actor: { id: USER },
      ...more
    })
  const as = (token: string) => ({ headers: { cookie: `session=${token}; other=${MARK}` } })
  const bulk = { path: `/logtrail/logs/bulk?${MARK}=1` }

  await keep(program.post(marked(), as(TOKEN)))
  await keep(program.post([marked(), marked({ level: 'trace' })], { ...as(TOKEN), ...bulk }))
  await keep(program.post(marked({ message: program.logtrail.key, metadata: { secret: SECRET } }), as(TOKEN)))
  await keep(program.post(marked({ message: `the key is ${program.logtrail.key}` }), as(TOKEN)))
  await keep(program.post(marked({ level: MARK }), as(TOKEN)))
  await keep(program.post(marked({ action: { [MARK]: 1 }, environment: MARK }), as(TOKEN)))
  await keep(program.post([marked(), { ...marked(), clientTimestamp: MARK }], { ...as(TOKEN), ...bulk }))
  await keep(program.post(`{"message":"${MARK}`, as(TOKEN)))
  await keep(program.post(`${MARK}`, as(TOKEN)))
  await keep(program.post(JSON.stringify(marked()).repeat(50_000), as(TOKEN)))
  await keep(program.post(marked(), { headers: { ...as(TOKEN).headers, 'content-type': `text/${MARK}` } }))
  await keep(
    program.post(marked(), {
      headers: { ...as(TOKEN).headers, 'sec-fetch-site': 'cross-site', origin: `https://${MARK}.example` }
    })
  )
  for (const token of [
    FORGED,
    EXPIRED,
    `${TOKEN}x`,
    `x${TOKEN}`,
    `${TOKEN}; session=${FORGED}`,
    '%ff',
    '%',
    'x'.repeat(9000)
  ]) {
    await keep(program.post(marked(), as(token)))
    await keep(program.post(marked(), { user: null, headers: { authorization: `Bearer ${token}` } }))
  }
  await keep(
    program.post(marked(), {
      path: `/logtrail/${MARK}`,
      headers: { ...as(TOKEN).headers, referer: `https://a/?${MARK}` }
    })
  )
  await keep(program.post(marked(), { ...as(TOKEN), method: 'PUT' }))
  await keep(program.post(marked(), { ...as(TOKEN), method: 'OPTIONS' }))
  await keep(
    program.post(marked(), {
      headers: { ...as(TOKEN).headers, 'x-api-key': program.logtrail.key, 'x-forwarded-for': MARK }
    })
  )
  for (const fault of FAULTS) {
    program.logtrail.faults.push(fault)
    await keep(program.post(marked(), as(TOKEN)))
  }
  program.logtrail.revokeKey(program.logtrail.key)
  await keep(program.post(marked(), as(TOKEN)))
  program.logtrail.addKey(program.logtrail.key)
  await keep(program.post(marked(), as(TOKEN)))

  const request = (more: string, body: string) =>
    `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nCookie: session=${TOKEN}\r\n${more}\r\n\r\n${body}`
  const body = JSON.stringify(marked())
  for (const bytes of [
    `GET /${MARK} HTTP/1.1\r\nHost: a\r\n${MARK}: \x00\r\n\r\n`,
    `${MARK}\r\n\r\n`,
    `CONNECT ${MARK}:443 HTTP/1.1\r\nHost: ${MARK}\r\n\r\n`,
    request(`X: ${MARK.repeat(4000)}`, ''),
    request('Transfer-Encoding: chunked', `zz\r\n${body}`),
    request('Content-Length: 5, 6', body),
    request(`Expect: ${MARK}\r\nContent-Length: ${body.length}\r\nConnection: close`, body)
  ]) {
    said.push(await raw(program.url, Buffer.from(bytes, 'latin1'), { quietMs: 50, timeoutMs: 2000 }))
  }
  await goneWithin(program, request(`Content-Length: ${body.length + 100}`, body))
  await goneWithin(program, request(`Content-Length: ${body.length}`, body))
  for (const path of ['/metrics', '/status', '/readyz', '/healthz', '/', `/${MARK}`]) {
    const { text, headers } = await program.get(path)
    said.push(`${[...headers].join('\n')}\n${text.replaceAll(`/${MARK}`, '/…')}`)
  }
  return said
}

/** A client that resets its connection once all was sent. */
function goneWithin(program: Program, bytes: string): Promise<void> {
  const { port, hostname } = new URL(program.url)
  return new Promise(resolve => {
    const socket = connect(Number(port), hostname)
    socket.on('error', () => {})
    socket.on('close', () => resolve())
    socket.write(bytes, () => setTimeout(() => socket.resetAndDestroy(), 20))
  })
}

function search(t: Test, texts: string[], needles: Record<string, string>, where: string): void {
  for (const [name, needle] of Object.entries(needles)) {
    const found = texts.find(text => text.includes(needle))
    const at = found?.indexOf(needle) ?? 0
    t.equal(found?.slice(Math.max(0, at - 200), at + 100), undefined, `${where}: not the ${name}`)
  }
}

const signature = (token: string) => token.split('.')[2]!

for (const delivery of ['direct', 'pooled', 'queued']) {
  t.test(`${delivery}: every byte that leaves`, async t => {
    const env = {
      DELIVERY: delivery,
      LOG_LEVEL: 'trace',
      QUEUE_PATH: t.testdir({}),
      LOGTRAIL_TIMEOUT: '1500ms',
      POOL_TIMEOUT: '1s',
      RATE_LIMIT_MAX: '0',
      RATE_LIMIT_LOGS_MAX: '0',
      MIN_LEVEL: 'debug',
      ALLOWED_ORIGINS: 'https://app.example'
    }
    const program = await startProxy(t, { env })
    const said = await everything(program)
    await program.server.close()
    const { key } = program.logtrail
    const secrets = {
      key,
      'random part of the key': key.split('_')[3]!,
      'JWT secret': SECRET,
      session: TOKEN,
      "session's signature": signature(TOKEN),
      "forged session's signature": signature(FORGED),
      "expired session's signature": signature(EXPIRED),
      "session's claims": TOKEN.split('.')[1]!,
      'email of the claims': 'private@analytical.example'
    }
    t.ok(said.length > 50 && program.lines.length > 20)
    const ids = said.flatMap(text => /"request_id":"([^"]+)/.exec(text)?.[1] ?? [])
    t.ok(
      ids.some(id => program.lines.some(line => line.includes(id))),
      'a search finds what is there'
    )
    search(t, said, secrets, 'answers')
    search(t, program.lines, secrets, 'log lines')
    search(t, program.lines, { 'user id': 'lovelace', body: MARK, cookie: 'session=' }, 'log lines')
    search(t, said, { 'user id': 'lovelace', 'what was redacted': `${MARK}-password` }, 'answers')
    search(t, said, { 'address of Logtrail': new URL(program.logtrail.url).host }, 'answers')
    search(t, said, { stack: 'node_modules', file: '/src/', Fastify: 'FST_' }, 'answers')
    t.ok(program.logtrail.requests.length > 0, 'while Logtrail got what it should')
  })
}

t.test('the printed configuration', async t => {
  const keys = [makeKey(), makeKey()]
  const password = 'r3dis-passw0rd'
  const env = {
    LOGTRAIL_API_KEY: keys.join(','),
    LOGTRAIL_PLAN: 'free',
    SESSION_JWT_SECRET: SECRET,
    SESSION_SECRET: `${SECRET}-one,${SECRET}-two`,
    SESSION_TAG_SECRET: `${SECRET}-for-tags`,
    REDIS_URL: `redis://user:${password}@127.0.0.1:6379/0?password=${password}`,
    SESSION_REDIS_URL: `rediss://:${password}@127.0.0.1:6380`
  }
  for (const mode of ['jwt', 'redis', 'none']) {
    for (const json of [true, false]) {
      let out = ''
      const write = (text: string) => {
        out += text
      }
      const { SESSION_JWT_SECRET, SESSION_SECRET, ...rest } = env
      const own = mode === 'jwt' ? { SESSION_JWT_SECRET } : mode === 'redis' ? { SESSION_SECRET } : {}
      const io = { env: { ...rest, ...own, SESSION_MODE: mode }, cwd: '/nowhere', out: write, err: write }
      t.equal(await showConfig(io, json), 0)
      t.match(out, /LOGTRAIL_API_KEY/)
      search(
        t,
        [out],
        { 'first key': keys[0]!.slice(20), 'second key': keys[1]!.slice(20), secret: SECRET, password },
        mode
      )
    }
  }
})

t.test('a wrong configuration names the variable, and not its secret', async t => {
  const cases: Record<string, string>[] = [
    { LOGTRAIL_API_KEY: 'lt_live_wo_5eC9tY2LfQ1xVbN8' },
    { LOGTRAIL_API_KEY: 'lt_production_ro_5eC9tY2LfQ1xVbN8' },
    { LOGTRAIL_API_KEY: 'lt_production_rw_5eC9tY2LfQ1xVbN8' },
    { SESSION_JWT_SECRET: '5eC9tY2LfQ1xVbN8' },
    { SESSION_JWT_PUBLIC_KEY: '-----BEGIN PRIVATE KEY-----\n5eC9tY2LfQ1xVbN8\n-----END PRIVATE KEY-----' },
    { REDIS_URL: 'http://u:5eC9tY2LfQ1xVbN8@host' },
    { REDIS_URL: 'redis://u:5eC9tY2LfQ1xVbN8@host:port' },
    { LOGTRAIL_URL: 'https://u:5eC9tY2LfQ1xVbN8@host/' },
    { SESSION_JWKS_URL: 'https://u:5eC9tY2LfQ1xVbN8@host/' },
    { LOGTRAIL_ENVIRONMENT: 'lt_production_wo_5eC9tY2LfQ1xVbN8' },
    { PORT: 'lt_production_wo_5eC9tY2LfQ1xVbN8' },
    { lt_production_wo_5eC9tY2LfQ1xVbN8: 'LOGTRAIL_API_KEY' }
  ]
  for (const env of cases) {
    const said: string[] = []
    const write = (text: string) => void said.push(text)
    const base = { LOGTRAIL_API_KEY: makeKey(), LOGTRAIL_PLAN: 'free', SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SECRET }
    try {
      await showConfig({ env: { ...base, ...env }, cwd: '/nowhere', out: write, err: write }, false)
    } catch (error) {
      said.push((error as Error).message)
    }
    t.ok(said.join('').length > 0)
    search(t, said, { secret: '5eC9tY2LfQ1xVbN8' }, Object.keys(env)[0]!)
  }
})
