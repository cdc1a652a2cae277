import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { buildConnector, Pool } from 'undici'
import type { UpstreamAnswer } from './answer.js'
import { createEchoGuard } from './echo.js'
import { Exchange, type Wire } from './exchange.js'
import { UpstreamFault } from './fault.js'
import { withoutContinue } from './interim.js'
import type { Keyring } from './keyring.js'

export type { UpstreamAnswer } from './answer.js'
export { UpstreamFault } from './fault.js'

export type UpstreamRoute = 'logs' | 'bulk'

export interface PostOptions {
  /** Sent as X-Request-Id. */
  requestId: string
  signal?: AbortSignal
}

/** What @fastify/reply-from asks its connection for. */
export interface RequestOptions {
  origin?: string | URL | undefined
  path: string
  method: string
  headers?: unknown
  body?: unknown
}

/**
 * For @fastify/reply-from an answer with no headers, none of which it could copy, and with a status that it can set, which
 * is not so of all that may come (above 599); its `stream`, on which the plugin does nothing, is the answer as Logtrail
 * gave it.
 */
export interface RequestedAnswer {
  statusCode: number
  headers: Record<string, string>
  body: UpstreamAnswer
}

/** The only code that talks to Logtrail, and the only that holds the key while doing so. */
export interface LogtrailClient {
  /**
   * Resolves with whatever Logtrail answered, once the whole of it is there. Redirects are not followed. A 401 or 403
   * is tried once more where the keyring has another key; nothing else is ever tried twice.
   * @param body JSON
   * @throws UpstreamFault, also where the answer is none of Logtrail's and has no end, is compressed or repeats a key
   */
  post(route: UpstreamRoute, body: string | Buffer, options: PostOptions): Promise<UpstreamAnswer>
  /**
   * The same for @fastify/reply-from, as its `undici`. It takes nothing from the request but the route, the body and
   * X-Request-Id, and refuses any other address.
   */
  readonly requestable: {
    request(options: RequestOptions, callback: (error: Error | null, answer?: RequestedAnswer) => void): void
  }
  /** Takes no further requests, and resolves once those under way are over, each within its timeout. */
  close(): Promise<void>
}

export interface LogtrailClientOptions {
  /** With Logtrail's path, without `/logs`. Whether plain http is allowed there is the configuration's business. */
  baseUrl: string
  keyring: Keyring
  /** For the whole of a request: connection, both attempts, last byte. */
  timeoutMs: number
  /** At most so many connections at once; further requests wait for one. */
  connections: number
  userAgent: string
  /** Told of every request that left, a second attempt included; `error` where Logtrail gave no answer. Must not throw. */
  onRequest?: (status: number | 'error', seconds: number) => void
  /** PEM of a certificate authority that is trusted besides the usual ones. */
  ca?: string
}

/** @throws Error where the address cannot be one of Logtrail's */
export function createLogtrailClient(options: LogtrailClientOptions): LogtrailClient {
  const { keyring, timeoutMs } = options
  const { origin, prefix } = readBaseUrl(options.baseUrl)
  const paths: Record<UpstreamRoute, string> = { logs: `${prefix}/logs`, bulk: `${prefix}/logs/bulk` }
  // One context for all connections: with `ca` alone each would read 140 certificates anew.
  const secureContext: SecureContext | undefined =
    options.ca === undefined ? undefined : createSecureContext({ ca: [...rootCertificates, options.ca] })
  const connect = buildConnector({
    timeout: timeoutMs,
    // Said although it is the default: NODE_TLS_REJECT_UNAUTHORIZED=0 would change that.
    rejectUnauthorized: true,
    ...(secureContext ? { secureContext } : {})
  })
  const pool = new Pool(origin, {
    connections: options.connections,
    pipelining: 1,
    connect: withoutContinue(connect)
  })
  const wire: Wire = {
    pool,
    keyring,
    guard: createEchoGuard(),
    userAgent: options.userAgent,
    onRequest: options.onRequest
  }
  let closing: Promise<void> | undefined

  return {
    post(route, body, { requestId, signal }) {
      return new Promise((resolve, reject) => {
        new Exchange(wire, paths[route], body, requestId, timeoutMs, signal, (fault, answer) => {
          if (answer === null) reject(fault)
          else resolve(answer)
        })
      })
    },

    requestable: {
      request({ origin: asked, path, method, headers, body }, callback) {
        const known = path === paths.logs || path === paths.bulk
        const here = asked === undefined || String(asked).replace(/\/$/, '') === origin
        if (method !== 'POST' || !known || !here || !(typeof body === 'string' || Buffer.isBuffer(body))) {
          callback(new UpstreamFault('broken', 'TARGET_REFUSED', 'Only entries go to Logtrail, to its two addresses'))
          return
        }
        const requestId = (headers as Record<string, unknown> | undefined)?.['x-request-id']
        new Exchange(wire, path, body, String(requestId ?? ''), timeoutMs, undefined, (fault, answer) => {
          if (answer === null) {
            callback(fault)
            return
          }
          const result = { statusCode: 200, headers: {}, body: answer }
          try {
            callback(null, result)
          } catch (error) {
            // undici would swallow it, and the browser wait for ever.
            callback(error as Error)
          }
        })
      }
    },

    close() {
      closing ??= pool.close()
      return closing
    }
  }
}

function readBaseUrl(baseUrl: string): { origin: string; prefix: string } {
  const url = URL.canParse(baseUrl) ? new URL(baseUrl) : undefined
  if (
    url === undefined ||
    (url.protocol !== 'https:' && url.protocol !== 'http:') ||
    `${url.username}${url.password}${url.search}${url.hash}` !== ''
  ) {
    throw new Error('The address of Logtrail must be an https address without credentials, query or fragment')
  }
  return { origin: url.origin, prefix: url.pathname.replace(/\/+$/, '') }
}
