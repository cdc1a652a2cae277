/**
 * `npm run demo`: a Logtrail stand-in, a small app with a login, and the real proxy between them, all on loopback.
 *
 *   browser -> app (page, login) -> /logtrail -> proxy (session, limits, key) -> Logtrail stand-in
 *
 * Ports are the ones below, or free ones where these are taken; `--free-ports` takes free ones at once. `--from-source`
 * runs the proxy from src instead of dist.
 */
import { randomBytes } from 'node:crypto'
import { makeKey, startLogtrail } from '../../test/helper/logtrail/logtrail.js'
import { createAppServer } from './app-server.js'
import { freePort, listen } from './ports.js'
import { startProxy } from './proxy-process.js'
import { AUDIENCE, COOKIE, createSessions, ISSUER } from './session.js'

const free = process.argv.includes('--free-ports')
const PORTS = { app: free ? 0 : 8780, logtrail: free ? 0 : 8799, proxy: free ? 0 : 8790, admin: free ? 0 : 9790 }
const PATIENCE_MS = 3_000

const cleanups: (() => Promise<unknown>)[] = []
let stopping: Promise<void> | undefined
let since = 0

function stop(status: number): Promise<void> {
  since ||= Date.now()
  stopping ??= (async () => {
    for (const cleanup of cleanups.reverse()) await cleanup().catch(() => {})
    process.exit(status)
  })()
  return stopping
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    // npm hands a Ctrl-C on that the terminal has sent already; only a later second one means impatience, and by then
    // the proxy's own second signal ends it at once.
    if (since > 0 && Date.now() - since > PATIENCE_MS)
      void Promise.all(cleanups.map(run => run())).then(() => process.exit(1))
    else void stop(0)
  })
}

async function start(): Promise<void> {
  const key = makeKey('development', 'wo')
  const secret = randomBytes(32).toString('hex')
  const logtrail = await startLogtrail({ port: await freePort(PORTS.logtrail), keys: [key], plan: 'developer' })
  cleanups.push(() => logtrail.close())

  const proxyPort = await freePort(PORTS.proxy)
  const adminPort = await freePort(PORTS.admin)
  const admin = `http://127.0.0.1:${adminPort}`
  const app = createAppServer({
    sessions: createSessions(secret),
    proxyPort: () => proxyPort,
    logtrailOrigin: logtrail.origin,
    about: () => ({ logtrail: logtrail.origin, admin })
  })
  const appPort = await listen(app, PORTS.app)
  cleanups.push(async () => {
    app.close()
    app.closeAllConnections()
  })

  const { DELIVERY, LOG_LEVEL = 'warn' } = process.env
  const proxy = startProxy(
    {
      HOST: '127.0.0.1',
      PORT: String(proxyPort),
      ADMIN_HOST: '127.0.0.1',
      ADMIN_PORT: String(adminPort),
      TRUST_PROXY: 'loopback',
      LOG_LEVEL,
      LOGTRAIL_API_KEY: key,
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_PLAN: 'developer',
      SESSION_MODE: 'jwt',
      SESSION_COOKIE: COOKIE,
      SESSION_JWT_SECRET: secret,
      SESSION_JWT_ISSUER: ISSUER,
      SESSION_JWT_AUDIENCE: AUDIENCE,
      STAMP_CONTEXT: 'ip,received_at',
      ...(DELIVERY && { DELIVERY })
    },
    line => console.error(`  proxy  ${line}`),
    process.argv.includes('--from-source')
  )
  cleanups.push(() => proxy.stop())
  await proxy.ready()
  void proxy.ended.then(how => {
    if (stopping) return
    console.error(`\n  The proxy has ended by itself: ${how}.`)
    void stop(1)
  })

  console.log(`
  The demo runs. Open the app, choose somebody to be, and send a log:

    App                 http://127.0.0.1:${appPort}
    Logtrail stand-in   ${logtrail.origin}   what arrived, live
    Proxy               http://127.0.0.1:${appPort}/logtrail   (behind the app, as in production)
    Proxy's health      ${admin}/readyz

  Ctrl-C stops all.
`)
}

start().catch((error: Error) => {
  if (stopping) return
  console.error(error.message)
  void stop(1)
})
