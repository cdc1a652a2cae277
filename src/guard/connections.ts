import { randomUUID } from 'node:crypto'
import type { IncomingMessage, RequestListener, Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'
import { type ErrorCode, errorBody, HttpError } from '../errors.js'

/**
 * Open sockets at most: each costs some 10 KB, and the 4,097th browser is better off with a refused connection. As many may
 * wait to be accepted (the kernel allows net.core.somaxconn, 4096 by itself): of Node.js' own 511 the rest of a burst is
 * dropped, and tried again after 1, 3 and 7 seconds.
 */
export const MAX_CONNECTIONS = 4096

/** As nginx counts it: closed without an answer. */
const NO_ANSWER = 444

/** What was refused before it became a request for Fastify. */
export interface RefusedConnection {
  /** None where nothing was answered. */
  request_id?: string
  status: number
  error_code: ErrorCode | 'TOO_MANY_CONNECTIONS'
}
export type OnRefused = (refused: RefusedConnection) => void

/** How long a refused client may take to read why. */
const LINGER_MS = 1000

/**
 * Requests of one connection that may be unanswered: browsers and proxies send one after the other. A client that sends
 * thousands at once and reads nothing made the process keep all of them, and their answers.
 */
const MAX_UNANSWERED = 100

/** What every answer carries besides its own. */
export const ANSWER_HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' } as const

/**
 * Fastify's options against slow and greedy clients: 10 s for the headers, 30 s for a whole request (interface,
 * `SHUTDOWN_TIMEOUT`), checked every second; headers up to 32 KiB, since sessions come in chunked cookies.
 */
export const CONNECTION_OPTIONS = {
  connectionTimeout: 0,
  requestTimeout: 30_000,
  keepAliveTimeout: 72_000,
  http: {
    headersTimeout: 10_000,
    connectionsCheckingInterval: 1000,
    maxHeaderSize: 32 * 1024,
    insecureHTTPParser: false,
    // a second Authorization is joined to the first, and so refused, instead of dropped unseen
    joinDuplicateHeaders: true,
    // asked for by the public listener, in this program's own words
    requireHostHeader: false
  }
} as const

/**
 * Of a connection: its last request that is in flight, whose answer goes out after all others; how many are; and whether it is
 * refused.
 */
const LAST = Symbol('last request in flight')
const UNANSWERED = Symbol('requests in flight')
const REFUSED = Symbol('refused')
type Connection = Socket & { [LAST]?: FastifyReply | undefined; [UNANSWERED]?: number; [REFUSED]?: true }

/** Whether a connection has so many requests in flight that it was cut instead of taking one more. */
export function isCut(socket: Connection): boolean {
  // Node.js goes on with what it has read already
  if (socket.destroyed) return true
  if ((socket[UNANSWERED] ?? 0) < MAX_UNANSWERED) return false
  socket.destroy()
  return true
}

/**
 * Runs `over` once: when the answer is out, or can never be. Of an answer Node.js emits 'close' only when its turn has come:
 * of requests sent one behind the other, whose client then goes away, all but the first would be in flight for ever.
 */
export function onceOver(reply: FastifyReply, over: () => void): void {
  const response = reply.raw
  const socket = reply.request.raw.socket as Connection
  socket[LAST] = reply
  socket[UNANSWERED] = (socket[UNANSWERED] ?? 0) + 1
  const forget = () => {
    socket[UNANSWERED]!--
    if (socket[LAST] === reply) socket[LAST] = undefined
    over()
  }
  if (response.socket !== null) {
    // emitted once, so that `once` would only add a wrapper for each request
    response.on('close', forget)
    return
  }
  const end = () => {
    response.off('close', end)
    socket.off('close', end)
    forget()
  }
  response.on('close', end)
  // as many as a client likes to send before it reads
  socket.setMaxListeners(0).on('close', end)
}

/** RFC 3986, 3.2.2 and 3.2.3: a name or an address, and perhaps a port. */
const HOST = /^(?:[\w.~!$&'()*+,;=%-]+|\[[\da-f:.]+\])(?::\d*)?$/i

/**
 * What Node.js' parser lets through all the same: whether a request is one of HTTP/1, to one host, with a body whose coding
 * Node.js undoes. That is `chunked` alone: what is under any other it would hand on as it stands (RFC 9112, 6.1).
 */
export function isValidRequest({ httpVersionMajor, httpVersionMinor, rawHeaders, headers }: IncomingMessage): boolean {
  const coding = headers['transfer-encoding']
  return (
    httpVersionMajor === 1 &&
    (coding === undefined || coding.trim().toLowerCase() === 'chunked') &&
    namesOneHost(rawHeaders, httpVersionMinor === 0)
  )
}

/** RFC 9112, 3.2: none, several or an invalid one are answered 400; HTTP/1.0 need not name one. */
function namesOneHost(rawHeaders: readonly string[], orNone: boolean): boolean {
  let hosts = 0
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!
    if (name.length !== 4 || name.toLowerCase() !== 'host') continue
    if (!HOST.test(rawHeaders[at + 1]!)) return false
    hosts += 1
  }
  return hosts === 1 || (hosts === 0 && orNone)
}

/** What Node.js' parser says, in this program's words. */
const PARSER_ERRORS: Record<string, ErrorCode> = {
  HPE_HEADER_OVERFLOW: 'HEADERS_TOO_LARGE',
  ERR_HTTP_REQUEST_TIMEOUT: 'REQUEST_TIMEOUT'
}

/**
 * Answers what never becomes a whole request (RFC 9112, 2.2: what is none is answered 400 and closed): where it is the body
 * that goes wrong, as that request's own answer, else by itself, after the answers that are still under way (9.3.2).
 * @param overLimit counts what became no request, and says whether it is one too many
 */
export function createClientErrorAnswer(
  onRefused: OnRefused,
  overLimit: OverLimit
): (error: NodeJS.ErrnoException, socket: Socket) => void {
  return (error, socket: Connection) => {
    if (error.code === 'ECONNRESET' || !socket.writable) {
      socket.destroy()
      return
    }
    // Node.js says so again with whatever arrives next
    if (socket[REFUSED]) return
    socket[REFUSED] = true
    const fault = new HttpError(PARSER_ERRORS[String(error.code)] ?? 'BAD_REQUEST')
    const last = socket[LAST]
    if (last === undefined || last.request.raw.complete) void refuseInTurn(socket, fault, onRefused, overLimit)
    else if (last.sent) end(socket)
    else last.header('connection', 'close').send(fault)
  }
}

async function refuseInTurn(socket: Connection, fault: HttpError, onRefused: OnRefused, overLimit: OverLimit) {
  const error = (await overLimit(socket)) ?? fault
  const last = socket[LAST]
  if (last !== undefined) await new Promise(over => last.raw.once('close', over))
  if (socket.writable) refuse(socket, error, onRefused)
}

/** Counts what becomes no request for the address of its socket. @returns the 429, where it is one too many */
export type OverLimit = (socket: Socket) => Promise<HttpError | undefined>

/** Limits the server's sockets, and answers what Node.js would answer in its own words or not at all. */
export function guardConnections(
  server: Server,
  handle: RequestListener,
  onRefused: OnRefused,
  overLimit: OverLimit
): void {
  server.maxConnections = MAX_CONNECTIONS
  // of more than 2,000 Node.js would drop the rest unseen, and with them what they forbid; maxHeaderSize is their bound
  server.maxHeadersCount = 0
  // Of a client that has closed its side Node.js ends the connection at once, answered or not (socketOnEnd in
  // lib/_http_server.js; undocumented, but kept since 0.5). So whoever waits for an answer still gets it, and then the
  // end; with nothing in flight the end comes at once, as without this. Who is gone for good looks the same until the
  // answer meets a reset: what is in flight is bounded by the times that delivery has
  Object.assign(server, { httpAllowHalfOpen: true })
  server.on('drop', () => onRefused({ status: NO_ANSWER, error_code: 'TOO_MANY_CONNECTIONS' }))
  server.on('connect', (_request, socket: Socket) => {
    // Node.js takes its own listener off such a socket: a client that resets it would end this process
    socket.on('error', () => socket.destroy())
    void refuseInTurn(socket, new HttpError('METHOD_NOT_ALLOWED'), onRefused, overLimit)
  })
  server.on('checkExpectation', handle)
}

function refuse(socket: Socket, error: HttpError, onRefused: OnRefused): void {
  const requestId = randomUUID()
  const body = JSON.stringify(errorBody(error, requestId))
  const headers = {
    ...ANSWER_HEADERS,
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'x-request-id': requestId,
    ...(error.retryAfter === undefined ? {} : { 'retry-after': error.retryAfter }),
    ...error.headers,
    connection: 'close'
  }
  const head = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  end(socket, `HTTP/1.1 ${error.statusCode} Refused\r\n${head.join('')}\r\n${body}`)
  onRefused({ request_id: requestId, status: error.statusCode, error_code: error.code })
}

/** A client that goes on sending and never closes would keep the socket half open, as long as it likes. */
function end(socket: Socket, lastWords = ''): void {
  socket.end(lastWords)
  const timer = setTimeout(() => socket.destroy(), LINGER_MS)
  socket.once('close', () => clearTimeout(timer))
}
