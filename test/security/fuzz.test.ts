import { connect } from 'node:net'
import t from 'tap'
import { books } from '../admin/scrape.js'
import { entry, sign, startProxy } from '../helper/proxy.js'
import { until } from '../outbox/until.js'

/**
 * Pieces of requests in any order, with bytes changed and cut off, by clients that leave in any manner, before a Logtrail
 * that fails as often as not. Nobody may stay in flight, no entry may leave the books, and the process goes on.
 */
const body = JSON.stringify(entry())
const cookie = `Cookie: session=${sign()}\r\n`
const good = `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\n${cookie}Content-Length: ${body.length}\r\n\r\n${body}`
const PIECES = [
  ...['POST ', 'GET ', 'OPTIONS ', 'CONNECT ', 'PUT ', '/logtrail/logs', '/logtrail/logs/bulk', '/x'],
  ...[
    ' HTTP/1.1\r\n',
    ' HTTP/1.0\r\n',
    'Host: a\r\n',
    'Content-Type: application/json\r\n',
    'Content-Type: text/plain\r\n'
  ],
  ...['Sec-Fetch-Site: same-origin\r\n', 'Origin: https://app.example\r\n', 'X-Forwarded-For: 1\r\n', cookie],
  ...[`Content-Length: ${body.length}\r\n`, 'Content-Length: 5\r\n', 'Transfer-Encoding: chunked\r\n', 'Expect: x\r\n'],
  ...[
    'Expect: 100-continue\r\n',
    'Connection: close\r\n',
    'Upgrade: h2c\r\nConnection: Upgrade\r\n',
    '\r\n',
    '0\r\n\r\n'
  ],
  ...[body, `[${body}]`, `${body.length.toString(16)}\r\n${body}\r\n`, '\0', '\r', '\n', '\u00e9', '{', '}']
]
const SEED = 20_261_124

for (const delivery of ['direct', 'pooled']) {
  t.test(`${delivery}: anything at all, seed ${SEED}`, async t => {
    let state = SEED
    const upTo = (n: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff
      return (state >>> 8) % n
    }
    const program = await startProxy(t, {
      env: {
        DELIVERY: delivery,
        RATE_LIMIT_IP_MAX: '0',
        RATE_LIMIT_MAX: '0',
        RATE_LIMIT_LOGS_MAX: '0',
        LOGTRAIL_TIMEOUT: '200ms',
        POOL_TIMEOUT: '500ms',
        LOG_LEVEL: 'info'
      },
      logtrail: {
        enforceRate: false,
        faultMix: { seed: SEED, share: 0.3, of: [{ kind: 'reset-before' }, { kind: 'hang' }] }
      }
    })
    const { port, hostname } = new URL(program.url)
    const bytes = (): Buffer => {
      const pieces = Array.from({ length: 1 + upTo(20) }, () => PIECES[upTo(PIECES.length)]!)
      const made = Buffer.from(upTo(2) ? pieces.join('') : good.repeat(1 + upTo(4)), 'latin1')
      for (let n = upTo(4); n > 0; n--) made[upTo(made.length)] = upTo(256)
      return upTo(3) ? made : made.subarray(0, upTo(made.length + 1))
    }
    const client = () =>
      new Promise<void>(resolve => {
        const socket = connect(Number(port), hostname)
        socket.on('error', () => {})
        socket.on('data', () => {})
        socket.on('close', () => resolve())
        socket.write(bytes())
        const leave = [() => socket.resetAndDestroy(), () => socket.destroy(), () => socket.end(bytes())][upTo(3)]!
        setTimeout(leave, upTo(30))
        setTimeout(() => socket.destroy(), 60)
      })
    for (let round = 0; round < 40; round++) await Promise.all(Array.from({ length: 15 }, client))
    program.logtrail.faults.clear()
    program.logtrail.faults.mix(undefined)
    await until(async () => (await program.get('/status')).body.inFlight === 0)
    let now = await books(program)
    await until(async () => {
      now = await books(program)
      return now.came === now.went && now.waiting === 0
    })
    t.ok(now.received > 20, `${now.received} entries`)
    t.equal((await program.post(entry())).status, 201, 'it goes on serving')
    t.notMatch(program.lines.join(''), /"level":"(error|fatal)","time":"[^"]*","err"/, 'and nothing is a fault of ours')
  })
}
