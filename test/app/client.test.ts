import t from 'tap'
import { createClientRoute } from '../../src/app/client.js'
import { loadConfig } from '../../src/config.js'
import { BASE } from '../config/given.js'
import { startProxy } from '../helper/proxy.js'

t.test('client.js is served without a session, with an ETag, and revalidated', async t => {
  const program = await startProxy(t, { env: { ALLOWED_ORIGINS: 'https://app.example' } })
  const path = `${program.url}/logtrail/client.js`
  const first = await fetch(path, { headers: { origin: 'https://app.example' } })
  t.equal(first.status, 200)
  t.equal(first.headers.get('content-type'), 'text/javascript; charset=utf-8')
  t.equal(first.headers.get('x-content-type-options'), 'nosniff')
  t.match(first.headers.get('cache-control'), /max-age=\d+/)
  t.equal(first.headers.get('access-control-allow-origin'), 'https://app.example')
  t.match(await first.text(), /export/)
  const etag = first.headers.get('etag')!
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const again = await fetch(path, { headers: { 'if-none-match': known } })
    t.equal(again.status, 304, known)
    t.equal(again.headers.get('etag'), etag)
  }
  t.equal((await fetch(path, { headers: { 'if-none-match': '"other"' } })).status, 200)
  t.equal((await fetch(path, { method: 'POST' })).status, 405)
})

t.test('where it was not built the program says so, and serves without it', async t => {
  const route = createClientRoute([new URL('file:///nowhere/client.js')])
  t.equal(route, undefined)
  const { createServer } = await t.mockImport<typeof import('../../src/app.js')>('../../src/app.js', {
    '../../src/app/client.js': { createClientRoute: () => route }
  })
  const lines: string[] = []
  const config = loadConfig({ cwd: t.testdir({}), env: { ...BASE, PORT: '0', ADMIN_PORT: '0', DELIVERY: 'direct' } })
  const server = createServer(config, { logDestination: { write: line => void lines.push(line) } })
  const { publicUrl } = await server.start()
  t.teardown(() => server.close())
  t.ok(lines.some(line => line.includes('client.js is not built')))
  t.equal((await fetch(`${publicUrl}/logtrail/client.js`)).status, 404)
})
