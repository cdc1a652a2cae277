import type { FastifyInstance } from 'fastify'
import { HttpError } from '../errors.js'

/** What an address answers to all methods but its own: preflights with 204, the rest with 405 and `Allow`. */
export function otherMethods(app: FastifyInstance, path: string, method: string): void {
  app.route({
    url: path,
    method: 'OPTIONS',
    // before the body is read, here and below: what it holds does not matter
    onRequest(_request, reply) {
      if (reply.getHeader('access-control-allow-origin') !== undefined) {
        reply.header('access-control-allow-methods', method)
        reply.header('access-control-allow-headers', 'Content-Type, Authorization, Idempotency-Key')
        reply.header('access-control-max-age', '600')
      }
      reply.code(204).send()
    },
    handler() {}
  })
  const others = app.supportedMethods.filter(other => other !== method && other !== 'OPTIONS')
  app.route({
    url: path,
    method: others,
    onRequest(_request, reply, done) {
      reply.header('allow', `${method}, OPTIONS`)
      done(new HttpError('METHOD_NOT_ALLOWED'))
    },
    handler() {}
  })
}
