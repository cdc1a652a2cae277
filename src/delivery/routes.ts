import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Fault, HttpError } from '../errors.js'
import type { Delivery, DeliveryRequest, Receipt } from './delivery.js'

export interface RouteOptions {
  delivery: Pick<Delivery, 'deliver'>
  /** Reads and checks the entries before anything is delivered. */
  read: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
  /** The checked entries of a request whose `read` has passed. */
  toDeliver: (request: FastifyRequest) => DeliveryRequest
  /** Where entries of the request were left out: for each that is delivered its index in the request. */
  positions: (request: FastifyRequest) => readonly number[] | undefined
  /** What a request is answered whose entries are taken: 201 pooled, 202 queued. */
  status: 201 | 202
  /** Makes the receipt the browser's own, whose entries may have been more than were delivered. */
  onReceipt: (request: FastifyRequest, receipt: Receipt) => Receipt
}

/** The two ingestion routes of pooled and queued delivery, answered with a receipt. */
export function deliveryRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { delivery, read, toDeliver, positions, status, onReceipt } = options
  const deliver = async (request: FastifyRequest): Promise<Receipt> => {
    const at = positions(request)
    if (at === undefined) return delivery.deliver(toDeliver(request))
    try {
      const receipt = await delivery.deliver(toDeliver(request))
      return receipt.rejected ? { ...receipt, rejected: inRequest(receipt.rejected, at) } : receipt
    } catch (error) {
      throw error instanceof HttpError ? withFaults(error, at) : error
    }
  }
  const handler = async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> => {
    await read(request, reply)
    const receipt = onReceipt(request, await deliver(request))
    // a string spares Fastify the search for a serialiser
    return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(receipt))
  }
  app.post('/logs', handler)
  app.post('/logs/bulk', handler)
}

/** Faults by the indexes of what was delivered, as the browser counts its entries. */
export function inRequest(faults: readonly Fault[], positions: readonly number[]): Fault[] {
  return faults.map(fault => ({
    ...fault,
    log_index: fault.log_index === null ? null : (positions[fault.log_index] ?? fault.log_index)
  }))
}

function withFaults(error: HttpError, positions: readonly number[]): HttpError {
  if (error.faults === undefined) return error
  const { code, message, retryAfter, headers, cause } = error
  return new HttpError(code, { message, retryAfter, headers, cause, faults: inRequest(error.faults, positions) })
}
