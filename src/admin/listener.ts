import fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import type { Metrics } from './metrics.js'
import { type ReadinessSource, readiness } from './readiness.js'

export interface AdminOptions {
  metrics: Metrics
  readiness: ReadinessSource
  /** What `/status` tells: plain data without secrets. */
  status: () => Record<string, unknown>
  log: FastifyBaseLogger
}

/**
 * The admin listener: nothing but reading, for probes, Prometheus and people. It is never to be published: it has no
 * session and no limits of its own.
 */
export async function createAdminListener({
  metrics,
  readiness: source,
  status,
  log
}: AdminOptions): Promise<FastifyInstance> {
  const app = fastify({
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
  app.get('/status', async () => status())
  return app
}
