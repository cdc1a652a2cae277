import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { HttpError } from '../errors.js'

/** What an address answers to all methods but its own: preflights with 204, the rest with 405 and `Allow`. */
export function otherMethods(app: FastifyInstance, path: string, method: string): void {
  const preflight = (_request: FastifyRequest, reply: FastifyReply): void => {
    if (reply.getHeader('access-control-allow-origin') !== undefined) {
      reply.header('access-control-allow-methods', method)
      reply.header('access-control-allow-headers', 'Content-Type, Authorization, Idempotency-Key, X-Session-Tag')
      reply.header('access-control-max-age', '600')
    }
    reply.code(204).send()
  }
  const refuse = (_request: FastifyRequest, reply: FastifyReply): void => {
    reply.header('allow', `${method}, OPTIONS`)
    throw new HttpError('METHOD_NOT_ALLOWED')
  }
  const others = app.supportedMethods.filter(other => other !== method && other !== 'OPTIONS')
  // as hooks, since these run before the body is read: what it holds does not matter
  app.route({ url: path, method: 'OPTIONS', onRequest: preflight, handler: preflight })
  app.route({ url: path, method: others, onRequest: refuse, handler: refuse })
}
