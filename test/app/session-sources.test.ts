import { createPrivateKey, generateKeyPairSync, sign as signBytes } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { entry, startProxy } from '../helper/proxy.js'
import { isError } from './is-error.js'

const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()

function session(claims: object = {}): { headers: { cookie: string } } {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const exp = Math.floor(Date.now() / 1000) + 600
  const input = `${part({ alg: 'ES256', kid: 'one' })}.${part({ sub: 'ada', exp, ...claims })}`
  const key = {
    key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    dsaEncoding: 'ieee-p1363'
  } as const
  return {
    headers: { cookie: `session=${input}.${signBytes('sha256', Buffer.from(input), key).toString('base64url')}` }
  }
}

t.test('a public key, its line breaks written out', async t => {
  const env = { SESSION_JWT_SECRET: '', SESSION_JWT_PUBLIC_KEY: pem.replaceAll('\n', '\\n') }
  const proxy = await startProxy(t, { env })
  t.equal((await proxy.post(entry(), session())).status, 201)
  isError(t, await proxy.post(entry()), 401, 'SESSION_INVALID', 'one that is signed by a secret')
})

t.test('a key set that cannot be fetched, and can be again, is said once each', async t => {
  let up = false
  const server = createServer((_request, response) => {
    if (!up) return void response.writeHead(500).end()
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one' }] }))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const rules = { iss: 'https://login.example', aud: 'logs' }
  const proxy = await startProxy(t, {
    env: {
      SESSION_JWT_SECRET: '',
      SESSION_JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      SESSION_JWT_ISSUER: rules.iss,
      SESSION_JWT_AUDIENCE: rules.aud
    }
  })
  isError(t, await proxy.post(entry(), session(rules)), 503, 'SESSION_UNAVAILABLE')
  up = true
  while ((await proxy.post(entry(), session(rules))).status !== 201) await once(server, 'request')
  const said = proxy.lines.filter(line => line.includes('the key set of sessions'))
  t.match(said, [/"level":"error".*cannot be fetched/, /"level":"info".*can be fetched again/])
})

t.test('none: whoever has no session takes turns by address, in every mode', async t => {
  for (const [DELIVERY, status] of [
    ['direct', 201],
    ['pooled', 201],
    ['queued', 202]
  ] as const) {
    const env = {
      SESSION_MODE: 'none',
      SESSION_JWT_SECRET: '',
      ANONYMOUS: 'allow',
      DELIVERY,
      QUEUE_PATH: t.testdir({})
    }
    const proxy = await startProxy(t, { env })
    t.equal((await proxy.post(entry({ actor: { id: 'ada' } }), { user: null })).status, status, DELIVERY)
    await proxy.logtrail.waitFor(({ entries }) => entries().length === 1)
    t.same(proxy.logtrail.entries(), [entry()])
  }
})
