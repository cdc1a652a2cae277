import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Delivery, DeliveryRequest, Receipt } from './delivery.js'

export interface RouteOptions {
  delivery: Pick<Delivery, 'deliver'>
  /** Reads and checks the entries before anything is delivered. */
  read: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The checked entries of a request whose `read` has passed. */
  toDeliver: (request: FastifyRequest) => DeliveryRequest
  /** What a request is answered whose entries are taken: 201 pooled, 202 queued. */
  status: 201 | 202
  /** Makes the receipt the browser's own, whose entries may have been more than were delivered. */
  onReceipt: (request: FastifyRequest, receipt: Receipt) => Receipt
}

/** The two ingestion routes of pooled and queued delivery, answered with a receipt. */
export function deliveryRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { delivery, read, toDeliver, status, onReceipt } = options
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    await read(request, reply)
    const receipt = onReceipt(request, await delivery.deliver(toDeliver(request)))
    // a string spares Fastify the search for a serialiser
    return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(receipt))
  }
  app.post('/logs', handler)
  app.post('/logs/bulk', handler)
}
