export type FaultKind = 'unreachable' | 'timeout' | 'broken'

/**
 * A request to Logtrail that got no answer, or none that can be used. Made afresh from the code and the sentence of what
 * went wrong: the errors of the network and of undici may hold the request, and with it the key.
 */
export class UpstreamFault extends Error {
  readonly kind: FaultKind
  readonly code: string

  constructor(kind: FaultKind, code: string, message: string) {
    super(message)
    this.name = 'UpstreamFault'
    this.kind = kind
    this.code = code
  }
}

const TIMEOUTS = new Set(['UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT', 'ETIMEDOUT'])
/** Name service, connection, and TLS: the certificate's own faults have codes without a common prefix. */
const UNREACHABLE =
  /^(ECONN|EHOST|ENET|EADDR|EAI_|EPIPE$|ENOTFOUND$|EPROTO$|ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|UND_ERR_(SOCKET|CLOSED|DESTROYED)$)/

/**
 * @param answered whether Logtrail had begun to answer: a connection lost after that is a broken answer
 * @param secret tells whether a text holds a key; such a sentence is left out
 */
export function asFault(error: unknown, answered: boolean, secret: (text: string) => boolean): UpstreamFault {
  const { code, message } = error as { code?: unknown; message?: unknown }
  const name = typeof code === 'string' && /^[A-Z0-9_]{1,64}$/.test(code) ? code : 'UNKNOWN'
  const said = typeof message === 'string' && !secret(message) ? tidy(message) : ''
  const kind: FaultKind = TIMEOUTS.has(name)
    ? 'timeout'
    : !answered && UNREACHABLE.test(name) && !said.startsWith('bad ')
      ? 'unreachable'
      : 'broken'
  return new UpstreamFault(kind, name, `${SENTENCES[kind]} (${name}${said ? `: ${said}` : ''})`)
}

const SENTENCES: Record<FaultKind, string> = {
  unreachable: 'Logtrail cannot be reached',
  timeout: 'Logtrail did not answer in time',
  broken: 'Logtrail did not give a usable answer'
}

function tidy(text: string): string {
  return text
    .slice(0, 200)
    .replace(/[^\x21-\x7e]+/g, ' ')
    .trim()
}
