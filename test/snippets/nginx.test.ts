import { readFileSync } from 'node:fs'
import { request } from 'node:http'
import t from 'tap'
import { find, missing, nginx, ROOT, serve, temporaryFolder } from '../docker/programs.js'
import { freePort } from '../helper/free-port.js'
import { entry, sign, startProxy } from '../helper/proxy.js'

// `Host $host` lost the port: where nginx did not listen on the usual one, every page of plain http was another origin's.
t.test("the README's nginx", { skip: missing('nginx') }, async t => {
  const [, location = ''] = /^```nginx\n(.*?)^```$/ms.exec(readFileSync(`${ROOT}README.md`, 'utf8'))!
  const program = await startProxy(t, { env: { TRUST_PROXY: '127.0.0.1', STAMP_CONTEXT: 'ip' } })
  const port = await freePort()
  const site = location.replace('127.0.0.1:8790', new URL(program.url).host)
  const args = nginx(temporaryFolder(t), `server { listen 127.0.0.1:${port}; ${site} }`)
  await serve(t, find('nginx')!, args, port)
  const status = await new Promise((resolve, reject) => {
    request({
      ...{ host: '127.0.0.1', port, path: '/logtrail/logs', method: 'POST', localAddress: '127.0.0.2' },
      headers: {
        host: `app.example:${port}`,
        origin: `http://app.example:${port}`,
        cookie: `session=${sign()}`,
        'content-type': 'application/json',
        'x-forwarded-for': '203.0.113.9'
      }
    })
      .on('response', answer => resolve(answer.resume().statusCode))
      .on('error', reject)
      .end(JSON.stringify(entry()))
  })
  t.equal(status, 201)
  t.match(program.logtrail.stored(), [{ entry: { context: { ip: '127.0.0.2' } } }])
  t.notOk(program.lines.some(line => line.includes('forwarding headers')))
})
