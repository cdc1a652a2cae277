import type { Dispatcher, Pool } from 'undici'
import { type AnswerHeaders, type Received, readHeaders, type UpstreamAnswer } from './answer.js'
import { AnswerBody } from './answer-body.js'
import type { EchoGuard } from './echo.js'
import { asFault, UpstreamFault } from './fault.js'
import type { Keyring } from './keyring.js'
import { isForeign, judge, type Verdict } from './verdict.js'

/** What all exchanges of a client share. */
export interface Wire {
  readonly pool: Pool
  readonly keyring: Keyring
  readonly guard: EchoGuard
  readonly userAgent: string
  readonly onRequest: ((status: number | 'error', seconds: number) => void) | undefined
}

/** Told once; exactly one of the two is there. Must not throw. */
export type Done = (fault: UpstreamFault | null, answer: UpstreamAnswer | null) => void

const JSON_TYPE = 'application/json'
const NOTHING = Buffer.alloc(0)
const EXPIRED = new Error('the request is over')

/** Why the words of an answer pass no further. */
const UNUSABLE = {
  ANSWER_ENCODED: 'is compressed',
  ANSWER_TOO_LARGE: 'is too large',
  ANSWER_ECHOES_KEY: 'repeats the key'
} as const

/**
 * One request to Logtrail under one deadline, from the connection to the last byte of the answer, with its one more try
 * by the other key. It is undici's handler itself, in the plainer of undici 7's two forms: no stream, no parsed headers
 * and no controller are made for an answer of a few bytes.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #wire: Wire
  readonly #path: string
  readonly #sent: string | Buffer
  readonly #requestId: string
  readonly #done: Done
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  #settled = false
  #retried = false
  /** A first answer of which it is not certain that it spoke of the key. */
  #doubted: { key: string; status: number; reason: string } | undefined
  #abort: ((error?: Error) => void) | undefined
  #key = ''
  #started = 0
  #status = 0
  #headers: AnswerHeaders = {}
  #encoded = false
  #body = new AnswerBody()

  constructor(
    wire: Wire,
    path: string,
    body: string | Buffer,
    requestId: string,
    timeoutMs: number,
    signal: AbortSignal | undefined,
    done: Done
  ) {
    this.#wire = wire
    this.#path = path
    this.#sent = body
    this.#requestId = requestId
    this.#done = done
    this.#signal = signal
    this.#timer = setTimeout(expire, timeoutMs, this)
    if (signal !== undefined) {
      if (signal.aborted) {
        this.#settle(cancelled(), null)
        return
      }
      signal.addEventListener('abort', this)
    }
    this.#send(wire.keyring.current())
  }

  #send(key: string): void {
    const { pool, userAgent } = this.#wire
    this.#key = key
    this.#started = performance.now()
    const headers = ['content-type', JSON_TYPE, 'accept', JSON_TYPE, 'user-agent', userAgent, 'x-api-key', key]
    if (this.#requestId !== '') headers.push('x-request-id', this.#requestId)
    // The deadline is one for all: a drip of bytes would start undici's own anew with each.
    pool.dispatch(
      { path: this.#path, method: 'POST', headers, body: this.#sent, headersTimeout: 0, bodyTimeout: 0 },
      this
    )
  }

  /** undici is about to write the request. What it throws here leaves the connection as it is, for the next one. */
  onConnect(abort: (error?: Error) => void): void {
    if (this.#settled) throw EXPIRED
    this.#abort = abort
  }

  onHeaders(status: number, raw: Buffer[]): boolean {
    if (status < 200) return true
    const { headers, encoded } = readHeaders(raw)
    this.#status = status
    this.#headers = headers
    this.#encoded = encoded
    return true
  }

  onData(chunk: Buffer): boolean {
    if (this.#body.add(chunk)) return true
    const { kind } = judge(this.#received(), 0)
    this.#stop(
      kind === 'delivered' || kind === 'refused',
      new UpstreamFault('broken', 'ANSWER_TOO_LARGE', 'The answer of Logtrail is larger than 16 MiB')
    )
    return true
  }

  onComplete(): void {
    this.#abort = undefined
    const { keyring, onRequest } = this.#wire
    const status = this.#status
    const received = this.#received()
    const verdict = judge(received, Date.now())
    const { kind } = verdict
    onRequest?.(isForeign(received, kind) ? 'error' : status, (performance.now() - this.#started) / 1000)
    if (status === 401 || status === 403) {
      const next = this.#otherKey(verdict)
      if (next !== undefined && !this.#retried) {
        this.#retried = true
        this.#status = 0
        this.#body = new AnswerBody()
        this.#send(next)
        return
      }
      if (kind === 'key' && this.#doubted !== undefined) {
        // It spoke of the second key. One that is not in force yet must not hold everybody for what the first was told.
        this.#settle(new UpstreamFault('broken', 'FOREIGN', this.#doubted.reason), null)
        return
      }
      received.headers = {}
    } else if (kind === 'delivered') {
      if (this.#doubted !== undefined) keyring.reject(this.#doubted.key, this.#doubted.status)
      keyring.accept(this.#key)
    }
    this.#conclude(received, kind)
  }

  #otherKey(verdict: Verdict): string | undefined {
    const { keyring } = this.#wire
    if (verdict.kind !== 'fault') return keyring.reject(this.#key, this.#status) ? keyring.current() : undefined
    this.#doubted = { key: this.#key, status: this.#status, reason: verdict.reason }
    return keyring.other(this.#key)
  }

  #received(): Received {
    const unread = this.#encoded && this.#body.begun
    const body = unread ? NOTHING : this.#body.bytes()
    return { status: this.#status, headers: this.#headers, body, cut: this.#body.cut, unread }
  }

  /** What Logtrail decided stands, also where its words cannot pass any further: else what it took would be sent again. */
  #conclude({ status, headers, body, cut, unread }: Received, kind: Verdict['kind']): void {
    const { guard } = this.#wire
    const keys = this.#keys()
    for (const name of Object.keys(headers) as (keyof AnswerHeaders)[]) {
      if (guard.inText(headers[name] as string, keys)) delete headers[name]
    }
    const why = unread
      ? 'ANSWER_ENCODED'
      : cut
        ? 'ANSWER_TOO_LARGE'
        : guard.inBody(body, keys)
          ? 'ANSWER_ECHOES_KEY'
          : undefined
    const answer = { status, headers, body: why === undefined && kind !== 'key' ? body : NOTHING }
    // without its words somebody else's page would be taken for Logtrail's
    if (why !== undefined && isForeign(answer, kind)) {
      const said = `The answer of Logtrail (${status}) ${UNUSABLE[why]}, and is none of its own`
      this.#settle(new UpstreamFault('broken', why, said), null)
    } else this.#settle(null, answer)
  }

  onError(error: Error): void {
    this.#abort = undefined
    if (this.#settled) return
    if (this.#whole()) {
      this.onComplete()
      return
    }
    this.#observeError()
    this.#settle(
      asFault(error, this.#status !== 0, text => this.#wire.guard.inText(text, this.#keys())),
      null
    )
  }

  /**
   * Of an answer that did not end: whether nothing is missing all the same, since its JSON is whole or a 204 has none (RFC 9110,
   * section 15.3.5). So it is with each answer where somebody on the way tells a wrong length, and the same entries would
   * be sent without end.
   */
  #whole(): boolean {
    if (this.#encoded || this.#body.cut || !(this.#body.begun || this.#status === 204)) return false
    return judge(this.#received(), 0).kind === 'delivered'
  }

  /** The signal's event. */
  handleEvent(): void {
    this.#stop(false, cancelled())
  }

  expire(): void {
    this.#stop(this.#whole(), new UpstreamFault('timeout', 'DEADLINE', 'Logtrail did not answer in time'))
  }

  /** Ends it here, and closes the connection. A request that still waits for one is let go in `onConnect`. */
  #stop(enough: boolean, fault: UpstreamFault): void {
    const abort = this.#abort
    if (enough) this.onComplete()
    else {
      this.#observeError()
      this.#settle(fault, null)
    }
    this.#abort = undefined
    abort?.(EXPIRED)
  }

  #observeError(): void {
    this.#wire.onRequest?.('error', (performance.now() - this.#started) / 1000)
  }

  #settle(fault: UpstreamFault | null, answer: UpstreamAnswer | null): void {
    this.#settled = true
    clearTimeout(this.#timer)
    this.#signal?.removeEventListener('abort', this)
    this.#done(fault, answer)
  }

  /** The keys of now and the one that was sent, which may have been replaced meanwhile. */
  #keys(): readonly string[] {
    const keys = this.#wire.keyring.candidates()
    return keys.includes(this.#key) ? keys : [...keys, this.#key]
  }
}

function expire(exchange: Exchange): void {
  exchange.expire()
}

function cancelled(): UpstreamFault {
  return new UpstreamFault('broken', 'CANCELLED', 'The request to Logtrail was given up')
}
