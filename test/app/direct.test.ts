import t from 'tap'
import { entry, startProxy } from '../helper/proxy.js'

t.test('an entry goes through with the key, the user and nothing of the browser', async t => {
  const proxy = await startProxy(t)
  const answer = await proxy.post(entry({ actor: { id: 'mallory', email: 'm@example.org' } }), {
    headers: { 'x-request-id': 'mine', referer: 'https://app.example/secret', connection: 'keep-alive' }
  })
  t.equal(answer.status, 201)
  t.match(answer.headers.get('x-session-tag'), /^[0-9a-f]{16}$/)
  t.equal(answer.headers.get('x-ratelimit-limit'), '120')
  t.same(proxy.logtrail.entries(), [{ ...entry(), actor: { id: 'ada' } }])
  const [request] = proxy.logtrail.requests
  const names = request!.rawHeaders.filter((_, index) => index % 2 === 0).map(name => name.toLowerCase())
  t.same(
    names.sort(),
    ['accept', 'connection', 'content-length', 'content-type', 'host', 'user-agent', 'x-api-key', 'x-request-id'].sort()
  )
  t.match(request!.rawHeaders, new Array(0))
  t.notMatch(request!.rawHeaders.join(), /mine|secret|session/)
})
