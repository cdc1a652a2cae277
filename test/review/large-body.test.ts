import t from 'tap'
import { entry, sign, startProxy } from '../helper/proxy.js'

// Of 30 bodies of 5 MB a third met "write EPIPE" instead of their 413: the connection was closed while they were still
// being sent.
t.test('a body that is far too large is told so, however it is framed', async t => {
  const program = await startProxy(t, { env: { LOGTRAIL_PLAN: 'free', RATE_LIMIT_MAX: '0' } })
  const chunk = new Uint8Array(65_536).fill(0x20)
  for (const chunked of [false, true]) {
    for (let n = 0; n < 15; n++) {
      let left = 80
      const stream = () => new ReadableStream({ pull: to => (left-- > 0 ? to.enqueue(chunk) : to.close()) })
      const response = await fetch(`${program.url}/logtrail/logs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin', cookie: `session=${sign()}` },
        ...(chunked ? { body: stream(), duplex: 'half' } : { body: new Uint8Array(5_000_000).fill(0x20) })
      } as RequestInit)
      t.match([response.status, await response.text()], [413, 'BODY_TOO_LARGE'])
    }
  }
  t.equal((await program.post(entry())).status, 201)
})
