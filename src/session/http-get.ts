import type { IncomingHttpHeaders } from 'node:http'
import { Agent, errors, request } from 'undici'

export interface HttpAnswer {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

/** Asks one question. Rejects with an Error whose message is safe to show: it names neither address nor header. */
export type HttpGet = (url: URL, headers: Readonly<Record<string, string>>) => Promise<HttpAnswer>

export interface HttpGetOptions {
  /** Milliseconds for the whole exchange, connecting included. */
  timeoutMs: number
  /** The longest body taken; a longer one is a fault. */
  maxBytes: number
  /** Connections kept to the host at most. */
  connections: number
  /** Certificate authorities to trust instead of Node's own. */
  ca?: string | Buffer | undefined
}

/**
 * GET for a session's own addresses: verified TLS, no redirects (undici's `request` follows none unless told to), bounded
 * in size and time. The body is read as UTF-8 whatever its type.
 */
export function createHttpGet(options: HttpGetOptions): { get: HttpGet; close(): Promise<void> } {
  const { timeoutMs, maxBytes, connections, ca } = options
  const agent = new Agent({
    connect: { rejectUnauthorized: true, timeout: timeoutMs, ca },
    connections,
    // Below what servers allow an idle connection, who do not all announce it: a question must not meet its end.
    keepAliveTimeout: 1_000,
    headersTimeout: timeoutMs,
    bodyTimeout: timeoutMs,
    maxResponseSize: maxBytes
  })
  return {
    async get(url, headers) {
      try {
        const signal = AbortSignal.timeout(timeoutMs)
        const answer = await request(url, { method: 'GET', headers, dispatcher: agent, signal })
        return { status: answer.statusCode, headers: answer.headers, body: await answer.body.text() }
      } catch (error) {
        throw new Error(reason(error, timeoutMs))
      }
    },
    close: () => agent.destroy()
  }
}

function reason(error: unknown, timeoutMs: number): string {
  if (error instanceof errors.ResponseExceededMaxSizeError) return 'the answer is too large'
  const { name, code } = error as { name?: string; code?: string }
  if (name === 'TimeoutError' || name === 'AbortError' || code?.endsWith('TIMEOUT'))
    return `no answer within ${timeoutMs} ms`
  return `no answer (${code ?? name})`
}
