import { Agent, request } from 'node:http'
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'
import { entry, sign } from '../helper/proxy.js'

/** What browsers, and those who are none, send to a proxy in a day: all of it again and again, each time a little other. */

export interface Traffic {
  /** Answers by status; `gone` are clients that went away. */
  answers: Record<string, number>
  /** Milliseconds of each answered request since the last look. */
  takeLatencies(): number[]
  /** Ends it, and waits for what is under way. */
  stop(): Promise<void>
}

const USERS = 200
const PASSWORD = 'correct horse battery staple'

/** @param perSecond requests, sent whether the last ones were answered or not */
export function startTraffic(url: string, perSecond: number): Traffic {
  const { hostname, port } = new URL(url)
  const agent = new Agent({ keepAlive: true, maxSockets: 64 })
  const sessions = Array.from({ length: USERS }, (_, n) => sign({ sub: `user-${n}`, exp: 9_999_999_999 }))
  const answers: Record<string, number> = {}
  const underWay = new Set<Promise<void>>()
  let latencies: number[] = []
  let n = 0

  const count = (status: string) => {
    answers[status] = (answers[status] ?? 0) + 1
  }

  function post(path: string, body: string, session: string | undefined, more: Record<string, string> = {}) {
    const began = performance.now()
    return new Promise<void>(resolve => {
      const headers = {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
        'sec-fetch-site': 'same-origin',
        ...(session === undefined ? {} : { cookie: `theme=dark; session=${session}` }),
        ...more
      }
      const sent = request({ agent, hostname, port, method: 'POST', path, headers }, answer => {
        answer.resume().on('end', () => {
          count(String(answer.statusCode))
          latencies.push(performance.now() - began)
          resolve()
        })
      })
      sent.on('error', () => {
        count('gone')
        resolve()
      })
      sent.end(body)
    })
  }

  /** A client that leaves in the midst of its body. */
  function leave(session: string) {
    return new Promise<void>(resolve => {
      const socket = connect(Number(port), hostname)
      socket.on('error', () => {})
      socket.on('close', () => {
        count('gone')
        resolve()
      })
      socket.write(
        `POST /logtrail/logs HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nSec-Fetch-Site: same-origin\r\nCookie: session=${session}\r\nContent-Length: 1000\r\n\r\n{"action":`,
        () => setTimeout(() => socket.resetAndDestroy(), 5)
      )
    })
  }

  function next(): Promise<void> {
    n += 1
    const user = n % USERS
    const session = sessions[user]!
    const single = (more = {}) =>
      JSON.stringify(entry({ message: `request ${n}`, metadata: { n, password: PASSWORD }, ...more }))
    switch (n % 20) {
      case 0:
        return post('/logtrail/logs', single(), undefined)
      case 1:
        return post('/logtrail/logs', '{"action": 1}', session)
      case 2:
        return post('/logtrail/logs', single({ message: 'x'.repeat(10_000) }), session)
      case 3:
        return post(`/logtrail/elsewhere/${n}`, single(), session)
      case 4:
        return leave(session)
      case 5:
        // somebody new each time, from a network of their own: nothing may be remembered of them for ever
        return post('/logtrail/logs', single(), sign({ sub: `stranger-${n}` }), {
          'x-forwarded-for': `10.${(n >> 16) % 256}.${(n >> 8) % 256}.${n % 256}`
        })
      case 6:
        return post('/logtrail/logs', single(), `${session.slice(0, -4)}${n % 10}AAA`)
      case 7:
      case 8:
        return post('/logtrail/logs/bulk', `[${Array.from({ length: 10 }, () => single()).join(',')}]`, session)
      default:
        return post('/logtrail/logs', single(), session)
    }
  }

  // by the clock, since timers of few milliseconds come late
  const began = performance.now()
  let sent = 0
  const timer = setInterval(() => {
    for (const due = ((performance.now() - began) / 1000) * perSecond; sent < due; sent++) {
      const one = next().finally(() => underWay.delete(one))
      underWay.add(one)
    }
  }, 10)

  return {
    answers,
    takeLatencies() {
      const taken = latencies
      latencies = []
      return taken
    },
    async stop() {
      clearInterval(timer)
      await Promise.all(underWay)
      agent.destroy()
    }
  }
}
