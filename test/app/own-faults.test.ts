import t from 'tap'
import { createLogger } from '../../src/admin/logger.js'
import { createMetrics } from '../../src/admin/metrics.js'
import type { Reader } from '../../src/entry/reader.js'
import { createLocalLimits } from '../../src/guard/limits.js'
import { createPublicListener, type PublicOptions } from '../../src/public.js'
import { createNoSessions } from '../../src/session/session.js'
import { READINGS } from '../admin/scrape.js'

/** The public listener alone, of which parts can be made to fail. */
async function listener(parts: Partial<PublicOptions>) {
  const lines: string[] = []
  const metrics = createMetrics(READINGS)
  const usual: PublicOptions = {
    log: createLogger({
      level: 'trace',
      secrets: ['5eC9tY2LfQ1xVbN8'],
      destination: { write: line => void lines.push(line) }
    }),
    prefix: '/logtrail',
    bodyLimit: 1000,
    trustProxy: undefined,
    allowedOrigins: new Set<string>(),
    isSpared: () => false,
    sessions: createNoSessions(),
    anonymous: true,
    tag: String,
    reader: {} as Reader,
    createLimits: app =>
      createLocalLimits(app, {
        window: 1000,
        address: 0,
        userRequests: 0,
        userEntries: 0,
        anonymousRequests: 0,
        anonymousEntries: 0
      }),
    metrics,
    planLimit: () => 1,
    logRequest() {},
    onAddress() {},
    onEnd() {},
    onOverload() {},
    isStopping: () => false,
    onUntrustedForwarding() {},
    delivery(app, paths, read) {
      app.post(paths.logs, async (request, reply) => {
        await read(request, reply)
        return {}
      })
    }
  }
  const { app } = await createPublicListener(Object.assign(usual, parts))
  const ask = () =>
    app.inject({
      method: 'POST',
      url: '/logtrail/logs',
      headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
      payload: '{}'
    })
  return { app, ask, lines, metrics }
}

const failing = () => {
  throw Object.assign(new TypeError('cannot read 5eC9tY2LfQ1xVbN8 of undefined'), { request: { headers: 'private' } })
}

t.test('a fault of our own is a 500 that says nothing, and a log line that says everything but secrets', async t => {
  const cases: Record<string, Partial<PublicOptions>> = {
    reader: { reader: { single: failing, bulk: failing } },
    sessions: { sessions: { ...createNoSessions(), identify: failing } },
    'sessions, later': { sessions: { ...createNoSessions(), identify: async () => failing() } },
    tag: { tag: failing, sessions: { ...createNoSessions(), identify: () => ({ userId: 'ada', via: 'cookie' }) } }
  }
  for (const [name, parts] of Object.entries(cases)) {
    const { app, ask, lines } = await listener(parts)
    const { statusCode, headers, body } = await ask()
    t.equal(statusCode, 500, name)
    t.same(JSON.parse(body), {
      error_code: 'INTERNAL_ERROR',
      message: 'Something went wrong here.',
      request_id: headers['x-request-id']
    })
    t.match(headers, { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' }, name)
    const line = lines.find(text => text.includes('"level":"error"')) ?? ''
    t.match(JSON.parse(line), {
      err: { type: 'TypeError', message: 'cannot read [SECRET] of undefined', stack: /own-faults\.test/ },
      error_code: 'INTERNAL_ERROR',
      request_id: headers['x-request-id']
    })
    t.notMatch(lines.join(''), /5eC9tY2LfQ1xVbN8|private/)
    await app.close()
  }
})

t.test('even before anything is known of the request', async t => {
  const { app, ask, lines } = await listener({ isSpared: failing })
  const { statusCode, body } = await ask()
  t.equal(statusCode, 500)
  t.match(JSON.parse(body), { error_code: 'INTERNAL_ERROR', message: 'Something went wrong here.' })
  t.notMatch(body + lines.join(''), /5eC9tY2LfQ1xVbN8|private/)
  await app.close()
})
