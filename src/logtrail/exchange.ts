import type { Dispatcher, Pool } from 'undici'
import { type AnswerHeaders, readHeaders, type UpstreamAnswer } from './answer.js'
import type { EchoGuard } from './echo.js'
import { asFault, UpstreamFault } from './fault.js'
import type { Keyring } from './keyring.js'

export const MAX_ANSWER_BYTES = 1024 * 1024

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

/**
 * One request to Logtrail under one deadline, from the connection to the last byte of the answer, with its one more try
 * by the other key. It is undici's handler itself, in the plainer of undici 7's two forms: no stream, no parsed headers
 * and no controller are made for an answer of a few bytes.
 */
export class Exchange implements Dispatcher.DispatchHandler {
  readonly #wire: Wire
  readonly #path: string
  readonly #body: string | Buffer
  readonly #requestId: string
  readonly #done: Done
  readonly #signal: AbortSignal | undefined
  readonly #timer: NodeJS.Timeout
  #settled = false
  #retried = false
  #abort: ((error?: Error) => void) | undefined
  #key = ''
  #started = 0
  #status = 0
  #headers: AnswerHeaders = {}
  #encoded = false
  #first: Buffer = NOTHING
  #more: Buffer[] | undefined
  #size = 0

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
    this.#body = body
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
    this.#send()
  }

  #send(): void {
    const { pool, keyring, userAgent } = this.#wire
    this.#key = keyring.current()
    this.#started = performance.now()
    const headers = ['content-type', JSON_TYPE, 'accept', JSON_TYPE, 'user-agent', userAgent, 'x-api-key', this.#key]
    if (this.#requestId !== '') headers.push('x-request-id', this.#requestId)
    // The deadline is one for all: a drip of bytes would start undici's own anew with each.
    pool.dispatch(
      { path: this.#path, method: 'POST', headers, body: this.#body, headersTimeout: 0, bodyTimeout: 0 },
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
    this.#size += chunk.length
    if (this.#size > MAX_ANSWER_BYTES) {
      this.#fail(new UpstreamFault('broken', 'ANSWER_TOO_LARGE', 'The answer of Logtrail is larger than 1 MiB'))
    } else if (this.#size === chunk.length) {
      this.#first = chunk
    } else {
      this.#more ??= [this.#first]
      this.#more.push(chunk)
    }
    return true
  }

  onComplete(): void {
    this.#abort = undefined
    const { keyring, onRequest } = this.#wire
    const status = this.#status
    onRequest?.(status, (performance.now() - this.#started) / 1000)
    if (status === 401 || status === 403) {
      const worthwhile = keyring.reject(this.#key, status)
      if (worthwhile && !this.#retried) {
        this.#retried = true
        this.#more = undefined
        this.#first = NOTHING
        this.#size = 0
        this.#status = 0
        this.#send()
        return
      }
      this.#settle(null, { status, headers: {}, body: NOTHING })
      return
    }
    const success = status < 300
    if (success) keyring.accept(this.#key)
    if (this.#encoded && success) {
      this.#settle(new UpstreamFault('broken', 'ANSWER_ENCODED', 'The answer of Logtrail is compressed'), null)
      return
    }
    const body = this.#encoded ? NOTHING : this.#more === undefined ? this.#first : Buffer.concat(this.#more)
    if (this.#echoes(body)) {
      this.#settle(new UpstreamFault('broken', 'ANSWER_ECHOES_KEY', 'The answer of Logtrail repeats the key'), null)
      return
    }
    this.#settle(null, { status, headers: this.#headers, body })
  }

  onError(error: Error): void {
    this.#abort = undefined
    if (this.#settled) return
    this.#observeError()
    this.#settle(
      asFault(error, this.#status !== 0, text => this.#wire.guard.inText(text, this.#keys())),
      null
    )
  }

  /** The signal's event. */
  handleEvent(): void {
    this.#fail(cancelled())
  }

  expire(): void {
    this.#fail(new UpstreamFault('timeout', 'DEADLINE', 'Logtrail did not answer in time'))
  }

  #fail(fault: UpstreamFault): void {
    this.#observeError()
    this.#settle(fault, null)
    // Closes the connection. A request that still waits for one is let go in `onConnect`.
    const abort = this.#abort
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

  #echoes(body: Buffer): boolean {
    const { guard } = this.#wire
    const keys = this.#keys()
    if (guard.inBody(body, keys)) return true
    const headers = this.#headers
    for (const name in headers) if (guard.inText(headers[name as keyof AnswerHeaders] as string, keys)) return true
    return false
  }
}

function expire(exchange: Exchange): void {
  exchange.expire()
}

function cancelled(): UpstreamFault {
  return new UpstreamFault('broken', 'CANCELLED', 'The request to Logtrail was given up')
}
