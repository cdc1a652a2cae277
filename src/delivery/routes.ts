import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { type Fault, HttpError } from '../errors.js'
import type { Delivery, DeliveryRequest, Receipt } from './delivery.js'

/** Reads and checks a request's entries, and throws or rejects with what is wrong. With a promise only where it has to wait. */
export type Read = (request: FastifyRequest, reply: FastifyReply) => void | Promise<void>

/** Of the public listener, whole. */
export interface IngestPaths {
  logs: string
  bulk: string
}

export interface RouteOptions {
  paths: IngestPaths
  delivery: Pick<Delivery, 'deliver'>
  /** Runs before anything is delivered. */
  read: Read
  /** The checked entries of a request whose `read` has passed. */
  toDeliver: (request: FastifyRequest) => DeliveryRequest
  /** Where entries of the request were left out: for each that is delivered its index in the request. */
  positions: (request: FastifyRequest) => readonly number[] | undefined
  /** What a request is answered whose entries are taken: 201 pooled, 202 queued. */
  status: 201 | 202
  /** How many entries of the request were left out: they count as taken. */
  leftOut: (request: FastifyRequest) => number
}

/** The two ingestion routes of pooled and queued delivery, answered with a receipt. */
export function deliveryRoutes(app: FastifyInstance, options: RouteOptions): void {
  const { delivery, read, toDeliver, positions, status, leftOut } = options
  const deliver = (request: FastifyRequest): Promise<Receipt> => {
    const delivered = delivery.deliver(toDeliver(request))
    const more = leftOut(request)
    const all = more === 0 ? delivered : withLeftOut(delivered, more)
    const at = positions(request)
    return at === undefined ? all : inBrowsersWords(all, at)
  }
  // No async function on the way: each costs a kilobyte, and most requests wait for nothing but their delivery.
  const taken = (request: FastifyRequest, reply: FastifyReply): void => {
    deliver(request).then(
      receipt => answer(reply, status, receipt),
      error => fail(reply, error)
    )
  }
  const handler = (request: FastifyRequest, reply: FastifyReply): void => {
    const reading = read(request, reply)
    if (reading === undefined) taken(request, reply)
    else reading.then(() => taken(request, reply)).catch(error => fail(reply, error))
  }
  app.post(options.paths.logs, handler)
  app.post(options.paths.bulk, handler)
}

function fail(reply: FastifyReply, error: unknown): void {
  // Sent: told 503 already, since this program ends.
  if (!reply.sent) reply.send(error)
}

function answer(reply: FastifyReply, status: number, receipt: Receipt): void {
  if (reply.sent) return
  const body = receipt.rejected === undefined ? `{"accepted":${receipt.accepted}}` : JSON.stringify(receipt)
  // A string spares Fastify the search for a serialiser.
  reply.code(status).header('content-type', 'application/json; charset=utf-8').send(body)
}

/** Where Logtrail refuses all that was delivered, something of the request is taken even so. */
async function withLeftOut(delivered: Promise<Receipt>, more: number): Promise<Receipt> {
  try {
    const receipt = await delivered
    return { ...receipt, accepted: receipt.accepted + more }
  } catch (error) {
    // other errors name those of which nothing is known
    if (error instanceof HttpError && error.statusCode === 400 && error.faults) {
      return { accepted: more, rejected: [...error.faults] }
    }
    throw error
  }
}

async function inBrowsersWords(delivered: Promise<Receipt>, at: readonly number[]): Promise<Receipt> {
  try {
    const receipt = await delivered
    return receipt.rejected ? { ...receipt, rejected: inRequest(receipt.rejected, at) } : receipt
  } catch (error) {
    throw error instanceof HttpError ? withFaults(error, at) : error
  }
}

/** Faults by the indexes of what was delivered, as the browser counts its entries. One beyond those names none of them. */
export function inRequest(faults: readonly Fault[], positions: readonly number[]): Fault[] {
  return faults.map(fault => ({
    ...fault,
    log_index: fault.log_index === null ? null : (positions[fault.log_index] ?? null)
  }))
}

function withFaults(error: HttpError, positions: readonly number[]): HttpError {
  return error.faults === undefined ? error : error.with({ faults: inRequest(error.faults, positions) })
}
