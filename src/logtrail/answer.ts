export type RateHeader = 'x-ratelimit-limit' | 'x-ratelimit-remaining' | 'x-ratelimit-reset'

/** The headers of Logtrail that are read at all. */
export interface AnswerHeaders extends Partial<Record<RateHeader, string>> {
  contentType?: string
  retryAfter?: string
}

export interface UpstreamAnswer {
  status: number
  headers: AnswerHeaders
  /**
   * At most 1 MiB. Empty where Logtrail's was longer, came compressed unasked or repeated a key, none of which passes any
   * further, and on a 401 or 403 that speaks of the key.
   */
  body: Buffer
}

/** An answer as it came, before it is known what of it may pass. */
export interface Received extends UpstreamAnswer {
  /** `body` is only the beginning. */
  cut?: boolean
  /** It came compressed unasked, and `body` is empty: what it is, its content type must tell. */
  unread?: boolean
}

/** What `reply.from` of @fastify/reply-from hands to `onResponse`, where its connection is a client's `requestable`. */
export interface ProxiedResponse {
  stream: UpstreamAnswer
}

/** @param raw names and values in turn, as undici's parser yields them */
export function readHeaders(raw: readonly Buffer[]): { headers: AnswerHeaders; encoded: boolean } {
  const headers: AnswerHeaders = {}
  let encoded = false
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as Buffer
    // The lengths of the few names that are read spare the others their conversion.
    const { length } = name
    if (length !== 11 && length !== 12 && length !== 16 && length !== 17 && length !== 21) continue
    const value = (raw[i + 1] as Buffer).toString('latin1').trim()
    const field = name.toString('latin1').toLowerCase()
    switch (field) {
      case 'content-type':
        if (isPlain(value)) headers.contentType = value
        break
      case 'retry-after':
        if (isPlain(value)) headers.retryAfter = value
        break
      case 'content-encoding':
        encoded ||= value !== '' && value.toLowerCase() !== 'identity'
        break
      case 'x-ratelimit-limit':
      case 'x-ratelimit-remaining':
      case 'x-ratelimit-reset':
        if (/^\d{1,15}$/.test(value)) headers[field] = value
        break
    }
  }
  return { headers, encoded }
}

/** A longer or stranger value is left out whole: cut short it might be a part of a key that nothing recognises. */
function isPlain(value: string): boolean {
  return /^[\x20-\x7e]{1,100}$/.test(value)
}
