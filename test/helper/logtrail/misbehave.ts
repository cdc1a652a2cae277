import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Fault } from './faults.js'
import type { Answer } from './workspace.js'

const PAGE = (status: number) =>
  `<!doctype html><html><head><title>${status}</title></head><body><center><h1>${status}</h1></center></body></html>\n`

/** Whether the entries of the request are stored before things go wrong. */
export function stores(fault: Fault): boolean {
  if (fault.kind === 'status') return fault.store === true
  return fault.kind.startsWith('store-') || fault.kind === 'drip' || fault.kind === 'echo-key' || fault.kind === 'huge'
}

function pick(
  fault: Fault & { kind: 'status' },
  error: (status: number, code: string, message: string) => Answer
): Answer {
  const headers: Record<string, string> =
    fault.retryAfter === undefined ? {} : { 'retry-after': String(fault.retryAfter) }
  if (fault.body === 'html') {
    return { status: fault.status, headers: { 'content-type': 'text/html', ...headers }, body: PAGE(fault.status) }
  }
  if (fault.body === 'empty') return { status: fault.status, headers, body: '' }
  const code = fault.code ?? CODES[fault.status] ?? 'INTERNAL_SERVER_ERROR'
  const made = error(fault.status, code, fault.message ?? 'So it was planned.')
  return { ...made, headers: { ...made.headers, ...headers } }
}

const CODES: Record<number, string> = {
  400: 'VALIDATION_FAILED',
  401: 'AUTH_INVALID_API_KEY',
  403: 'AUTH_API_KEY_SCOPE_MISMATCH',
  429: 'RATE_LIMIT_PLAN_EXCEEDED',
  500: 'INTERNAL_LOG_SERVICE_ERROR'
}

/** The answer that a fault puts in place of the right one; undefined where it is no answer but a deed (see `misbehave`). */
export function faultyAnswer(
  fault: Fault,
  good: Answer,
  key: string,
  error: (status: number, code: string, message: string) => Answer
): Answer | undefined {
  switch (fault.kind) {
    case 'status':
      return pick(fault, error)
    case 'redirect':
      return {
        status: fault.status ?? 307,
        headers: { location: fault.location ?? 'http://127.0.0.1:9/elsewhere', 'content-type': 'text/html' },
        body: PAGE(fault.status ?? 307)
      }
    case 'not-found':
      return { status: 404, headers: { 'content-type': 'text/html' }, body: PAGE(404) }
    case 'portal':
      return { status: 200, headers: { 'content-type': 'text/html' }, body: PAGE(200) }
    case 'echo-key':
      return {
        status: good.status,
        headers: {
          ...good.headers,
          'content-type': 'application/json',
          'x-api-key': key,
          'x-echo': `ApiKey ${key}`,
          'set-cookie': `logtrail=${key}; Path=/`,
          server: 'logtrail-stand-in',
          'x-powered-by': 'logtrail-stand-in',
          'access-control-allow-origin': '*',
          link: '<https://api.logtrail.net/>; rel=preload'
        },
        body: JSON.stringify({ you_sent: key, headers: { 'X-API-Key': key } })
      }
    case 'huge':
      return { ...good, body: JSON.stringify({ filler: 'x'.repeat(fault.bytes ?? 4_194_304) }) }
    default:
      return undefined
  }
}

/** The deeds that are no answer. `reset` cuts the connection, `later` runs a function every so many ms until it returns false or the server closes. */
export function misbehave(
  fault: Fault,
  req: IncomingMessage,
  res: ServerResponse,
  good: Answer,
  reset: (req: IncomingMessage) => void,
  later: (everyMs: number, step: () => boolean) => void
): void {
  switch (fault.kind) {
    case 'garbage':
      req.socket.end(Buffer.from('\u0000\u0001\u0002 SSH-2.0-not-http \u00ff\r\n\r\n', 'latin1'))
      return
    case 'store-cut':
      res.writeHead(good.status, { ...good.headers, 'content-length': Buffer.byteLength(good.body) + 100 })
      res.write(good.body.slice(0, 1) || '{', () => reset(req))
      return
    case 'drip': {
      const bytes = Buffer.from(good.body || ' ')
      res.writeHead(good.status, { ...good.headers, 'content-length': bytes.length })
      res.flushHeaders()
      let at = 0
      later(fault.everyMs ?? 200, () => {
        if (res.destroyed) return false
        res.write(bytes.subarray(at, ++at))
        if (at < bytes.length) return true
        res.end()
        return false
      })
      return
    }
    case 'hang':
    case 'store-silent':
      return
    default:
      reset(req)
  }
}
