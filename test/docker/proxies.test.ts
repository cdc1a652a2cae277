import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { parse } from 'yaml'
import { freePort } from '../helper/free-port.js'
import { entry, type Program, sign, startProxy } from '../helper/proxy.js'
import { fillIn, find, missing, nginx, ROOT, run, serve, temporaryFolder } from './programs.js'

/** Each reverse proxy of docker/proxies as the real program runs it, and requests through it to the real proxy. */

const example = (name: string) => readFileSync(`${ROOT}docker/proxies/${name}`, 'utf8')
/** The reverse proxies connect from 127.0.0.1; the browsers of these tests from another address of loopback. */
const ENV = { TRUST_PROXY: '127.0.0.1', STAMP_CONTEXT: 'ip' }
const BROWSER = '127.0.0.2'

interface Answer {
  status: number
  headers: IncomingHttpHeaders
  text: string
}

/** As an old browser would send it, by which the proxy has to compare Origin with Host; and with lies about its address. */
async function send(port: number, path: string, body?: unknown, more: Record<string, string> = {}): Promise<Answer> {
  const headers = {
    host: 'app.example:8080',
    origin: 'http://app.example:8080',
    cookie: `session=${sign()}`,
    'x-forwarded-for': '203.0.113.9',
    'x-real-ip': '203.0.113.9',
    forwarded: 'for=203.0.113.9',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...more
  }
  const method = body === undefined ? 'GET' : 'POST'
  const sent = request({ host: '127.0.0.1', port, path, method, headers, localAddress: BROWSER, agent: false })
  sent.end(body === undefined ? undefined : JSON.stringify(body))
  const [answer] = await once(sent, 'response')
  let text = ''
  for await (const chunk of answer.setEncoding('utf8')) text += chunk
  return { status: answer.statusCode, headers: answer.headers, text }
}

async function holds(t: Test, port: number, program: Program, page: string | undefined): Promise<void> {
  const { logtrail } = program
  const one = await send(port, '/logtrail/logs', entry())
  t.equal(one.status, 201, one.text.slice(0, 200))
  t.match(
    logtrail.stored().at(-1)?.entry,
    { context: { ip: BROWSER } },
    "the browser's address, and not what it claims"
  )
  t.ok(one.headers['x-request-id'])
  const large = Array.from({ length: 900 }, () => entry({ message: 'x'.repeat(1600) }))
  const bulk = await send(port, '/logtrail/logs/bulk', large)
  t.equal(bulk.status, 201, `1.5 MB pass: ${bulk.text.slice(0, 200)}`)
  t.equal(logtrail.stored().length, 901)
  const unknown = await send(port, '/logtrail/keys')
  t.match(unknown, { status: 404, text: 'ROUTE_NOT_FOUND' }, "the proxy's own answer")
  const other = await send(port, '/logtrail/logs', entry(), { origin: 'http://elsewhere.example' })
  t.match(other, { status: 403, text: 'ORIGIN_FORBIDDEN' })
  const port80 = await send(port, '/logtrail/logs', entry(), { origin: 'http://app.example' })
  t.match(port80, { status: 403, text: 'ORIGIN_FORBIDDEN' }, 'the port is part of the origin')
  if (page !== undefined) t.match(await send(port, '/'), { status: 200, text: page }, 'the app on the same origin')
  t.notOk(
    program.lines.some(line => line.includes('forwarding headers')),
    'nothing to warn about'
  )
}

const portOf = (url: string) => new URL(url).port

t.test('nginx.conf', { skip: missing('nginx') }, async t => {
  const program = await startProxy(t, { env: ENV })
  const port = await freePort()
  const args = nginx(
    temporaryFolder(t),
    fillIn(example('nginx.conf'), {
      'listen 8080': `listen 127.0.0.1:${port}`,
      '127.0.0.1:8790': `127.0.0.1:${portOf(program.url)}`,
      '/usr/share/nginx/html': `${ROOT}docker/app`
    })
  )
  const check = run(find('nginx')!, [...args, '-t'])
  t.match(check, { status: 0, output: /test is successful/ })
  t.notMatch(check.output, /\[(warn|error)\]/)
  await serve(t, find('nginx')!, args, port)
  await holds(t, port, program, 'A static app that logs')
})

t.test('nginx-replicas.conf spreads requests over three', { skip: missing('nginx') }, async t => {
  const programs = await Promise.all([1, 2, 3].map(() => startProxy(t, { env: ENV })))
  const port = await freePort()
  const args = nginx(
    temporaryFolder(t),
    fillIn(example('nginx-replicas.conf'), {
      'listen 8080': `listen 127.0.0.1:${port}`,
      '/usr/share/nginx/html': `${ROOT}docker/app`,
      ...Object.fromEntries(programs.map(({ url }, i) => [`bff-${i + 1}:8790`, `127.0.0.1:${portOf(url)}`]))
    })
  )
  t.match(run(find('nginx')!, [...args, '-t']), { status: 0 })
  await serve(t, find('nginx')!, args, port)
  for (let i = 0; i < 6; i++) t.equal((await send(port, '/logtrail/logs', entry())).status, 201)
  t.same(
    programs.map(({ logtrail }) => logtrail.stored().length),
    [2, 2, 2]
  )
  await programs[0]!.server.close()
  for (let i = 0; i < 6; i++) t.equal((await send(port, '/logtrail/logs', entry())).status, 201, 'one is gone')
})

t.test('nginx-demo.conf publishes two servers of loopback', { skip: missing('nginx') }, async t => {
  const [app, standin] = [await plainServer(t, 'the app'), await plainServer(t, 'the stand-in')]
  const ports = [await freePort(), await freePort()]
  const args = nginx(
    temporaryFolder(t),
    fillIn(example('nginx-demo.conf'), {
      'listen 18780': `listen 127.0.0.1:${ports[0]}`,
      'listen 18799': `listen 127.0.0.1:${ports[1]}`,
      '127.0.0.1:8780': `127.0.0.1:${app}`,
      '127.0.0.1:8799': `127.0.0.1:${standin}`
    })
  )
  t.match(run(find('nginx')!, [...args, '-t']), { status: 0 })
  await serve(t, find('nginx')!, args, ports[0]!)
  t.match(await send(ports[0]!, '/'), { status: 200, text: 'the app for app.example:8080' })
  t.match(await send(ports[1]!, '/'), { status: 200, text: 'the stand-in for app.example:8080' })
})

t.test('haproxy.cfg', { skip: missing('haproxy') }, async t => {
  const program = await startProxy(t, { env: ENV })
  const port = await freePort()
  const folder = temporaryFolder(t)
  const file = `${folder}/haproxy.cfg`
  const config = fillIn(example('haproxy.cfg'), {
    'bind :8080': `bind 127.0.0.1:${port}`,
    '127.0.0.1:8790': `127.0.0.1:${portOf(program.url)}`,
    'check port 9790': `check port ${portOf(program.admin)}`,
    '127.0.0.1:3000': `127.0.0.1:${await plainServer(t, 'the app')}`
  })
  writeFileSync(file, config)
  const check = run(find('haproxy')!, ['-c', '-f', file])
  t.equal(check.status, 0, check.output)
  t.notMatch(check.output, /\[(WARNING|ALERT)\]/)
  await serve(t, find('haproxy')!, ['-db', '-f', file], port)
  await holds(t, port, program, 'the app for app.example:8080')
})

t.test('Caddyfile', { skip: missing('caddy') }, async t => {
  const program = await startProxy(t, { env: ENV })
  const port = await freePort()
  const folder = temporaryFolder(t)
  const file = `${folder}/Caddyfile`
  const config = fillIn(example('Caddyfile'), {
    '\n:8080 {': `\n:${port} {`,
    '127.0.0.1:8790': `127.0.0.1:${portOf(program.url)}`,
    '/srv': `${ROOT}docker/app`
  })
  writeFileSync(file, config)
  const env = { PATH: process.env.PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder }
  const args = ['--adapter', 'caddyfile', '--config', file]
  const check = run(find('caddy')!, ['validate', ...args], { env })
  t.match(check, { status: 0, output: 'Valid configuration' })
  t.notMatch(check.output, /not formatted/i)
  await serve(t, find('caddy')!, ['run', ...args], port, env)
  await holds(t, port, program, 'A static app that logs')
})

const vite = await import('vite').catch(() => undefined)
t.test('vite.config.js', { skip: vite ? false : 'vite is not installed' }, async t => {
  const { createServer, loadConfigFromFile } = vite!
  const where = { command: 'serve', mode: 'development' } as const
  const { config } = (await loadConfigFromFile(where, `${ROOT}docker/proxies/vite.config.js`, undefined, 'silent'))!
  const [[path, options]] = Object.entries(config.server!.proxy!) as [[string, { target: string }]]
  t.equal(path, '/logtrail/')
  t.equal(options.target, 'http://127.0.0.1:8790')
  const program = await startProxy(t, { env: ENV })
  const port = await freePort()
  const server = await createServer({
    configFile: false,
    root: `${ROOT}docker/app`,
    cacheDir: temporaryFolder(t),
    logLevel: 'silent',
    optimizeDeps: { noDiscovery: true },
    server: {
      host: '127.0.0.1',
      port,
      hmr: false,
      watch: null,
      allowedHosts: ['app.example'],
      proxy: { [path]: { ...options, target: program.url } }
    }
  })
  t.teardown(() => server.close())
  await server.listen()
  await holds(t, port, program, 'A static app that logs')
})

t.test('traefik.yml names what there is', async t => {
  const { http } = parse(example('traefik.yml'), { strict: true })
  t.same(Object.keys(http).sort(), ['middlewares', 'routers', 'services'])
  const program = await startProxy(t, { env: ENV })
  for (const { rule, service, middlewares = [], priority, entryPoints, ...rest } of Object.values<{
    rule: string
    service: string
    middlewares?: string[]
    priority: number
    entryPoints: string[]
  }>(http.routers)) {
    t.same(rest, {})
    t.match(rule, /^PathPrefix\(`\/[a-z/]*`\)$/)
    t.ok(http.services[service], `the service ${service}`)
    t.ok(middlewares.every(name => http.middlewares[name]))
    t.ok(priority)
    t.same(entryPoints, ['web'])
  }
  t.equal(http.routers.logtrail.rule, 'PathPrefix(`/logtrail/`)')
  t.ok(http.routers.logtrail.priority > http.routers.app.priority)
  const { passHostHeader, servers, healthCheck } = http.services['logtrail-bff'].loadBalancer
  t.equal(passHostHeader, true)
  t.same(servers, [{ url: 'http://127.0.0.1:8790' }])
  t.match(healthCheck, { port: 9790, path: '/readyz' })
  t.equal((await program.get(healthCheck.path)).status, 200)
})

async function plainServer(t: Test, name: string): Promise<number> {
  const server = createServer((req, res) => res.end(`${name} for ${req.headers.host}`)).listen(0, '127.0.0.1')
  t.teardown(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
