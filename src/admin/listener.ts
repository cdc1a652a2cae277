import type { Server } from 'node:http'
import fastify, { type FastifyBaseLogger, type FastifyHttpOptions, type FastifyInstance, LogController } from 'fastify'
import { createEventStream } from './events.js'
import type { History } from './history.js'
import type { Metrics } from './metrics.js'
import { readPage } from './page.js'
import { type ReadinessSource, readiness } from './readiness.js'
import type { StatusReport } from './status.js'

export interface AdminOptions {
  metrics: Metrics
  readiness: ReadinessSource
  /** What `/status` and the page tell: plain data without secrets. */
  report: StatusReport
  history: Pick<History, 'tick'>
  log: FastifyBaseLogger
  /** Times that its clients have. */
  connection: Pick<FastifyHttpOptions<Server>, 'requestTimeout' | 'http'>
  /** How many may watch at once. */
  watchers?: number
}

/** Of the page: nothing from anywhere but here, and nothing inline. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin'
}

/**
 * The admin listener: nothing but reading, for probes, Prometheus and people. It is never to be published: it has no
 * session and no limits of its own.
 */
export async function createAdminListener({
  metrics,
  readiness: source,
  report,
  history,
  log,
  connection,
  watchers
}: AdminOptions): Promise<FastifyInstance> {
  const app = fastify({
    ...connection,
    loggerInstance: log,
    logController: new LogController({ disableRequestLogging: true }),
    forceCloseConnections: true
  })
  app.addHook('onRequest', (_request, reply, done) => {
    reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff')
    done()
  })
  app.get('/healthz', async () => ({ status: 'ok' }))
  app.get('/readyz', async (_request, reply) => {
    const { ready, body } = readiness(source)
    return reply.code(ready ? 200 : 503).send(body)
  })
  app.get('/metrics', async (_request, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics())
  )
  app.get('/status', async () => report.status())

  for (const { path, type, body } of readPage()) {
    app.get(path, async (_request, reply) => reply.headers(PAGE_HEADERS).type(type).send(body))
  }

  const events = createEventStream(watchers)
  app.get('/status/events', (_request, reply) => {
    if (events.join(reply, 'opening', report.opening())) return
    reply.code(503).header('retry-after', '10').send({ message: 'As many watch as may: close another page.' })
  })
  // seconds go by whether anybody watches or not
  const timer = setInterval(() => {
    const over = history.tick()
    if (over === 1) events.tell('second', report.second)
    else if (over > 1) events.tell('opening', report.opening)
  }, 1000)
  timer.unref()
  app.addHook('preClose', done => {
    clearInterval(timer)
    events.close()
    done()
  })
  return app
}
