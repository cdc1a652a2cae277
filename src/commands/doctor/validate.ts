import { request as requestHttp } from 'node:http'
import { type RequestOptions, request as requestHttps } from 'node:https'
import { rootCertificates, type TLSSocket } from 'node:tls'

/** What a dry run at Logtrail shows: the answer, the certificate it came under, and its clock. */
export interface DryRun {
  status: number
  contentType: string
  retryAfter: string | undefined
  /** `X-RateLimit-Limit`; validations have a limit of their own, and nobody says whose this is. */
  rateLimit: number | undefined
  /** At most 64 KiB. */
  body: Buffer
  /** Until when the certificate is good, ms since 1970; undefined over plain http. */
  certificateUntil: number | undefined
  /** How far this machine's clock is ahead of Logtrail's, in ms; undefined where no `Date` came. */
  skew: number | undefined
}

export interface DryRunOptions {
  /** LOGTRAIL_URL */
  baseUrl: string
  key: string
  userAgent: string
  timeoutMs: number
  now: () => number
  /** PEM of a certificate authority trusted besides the usual ones. */
  ca?: string | undefined
}

const MAX_BYTES = 64 * 1024

/**
 * `POST /logs/validate`: checks an entry and stores nothing, so it costs no quota. This route is the command's alone; nothing
 * that a browser sends ever leads there.
 * @throws the network's or TLS's own error
 */
export function dryRun(entry: object, options: DryRunOptions): Promise<DryRun> {
  const { baseUrl, key, userAgent, timeoutMs, now, ca } = options
  const url = new URL(`${baseUrl.replace(/\/+$/, '')}/logs/validate`)
  const secure = url.protocol === 'https:'
  const body = JSON.stringify(entry)
  const settings: RequestOptions = {
    method: 'POST',
    agent: false,
    signal: AbortSignal.timeout(timeoutMs),
    headers: {
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
      accept: 'application/json',
      'user-agent': userAgent,
      'x-api-key': key
    },
    // said although it is the default: NODE_TLS_REJECT_UNAUTHORIZED=0 would change that
    ...(secure ? { rejectUnauthorized: true, ...(ca ? { ca: [...rootCertificates, ca] } : {}) } : {})
  }
  return new Promise((resolve, reject) => {
    const sentAt = now()
    const request = (secure ? requestHttps : requestHttp)(url, settings, response => {
      const middle = (sentAt + now()) / 2
      const { headers, socket } = response
      const until = secure ? Date.parse((socket as TLSSocket).getPeerCertificate().valid_to) : Number.NaN
      const date = Date.parse(headers.date ?? '')
      const limit = Number(headers['x-ratelimit-limit'] ?? Number.NaN)
      const chunks: Buffer[] = []
      let size = 0
      const done = () =>
        resolve({
          status: response.statusCode!,
          contentType: headers['content-type'] ?? '',
          retryAfter: headers['retry-after'],
          rateLimit: Number.isSafeInteger(limit) && limit > 0 ? limit : undefined,
          body: Buffer.concat(chunks).subarray(0, MAX_BYTES),
          certificateUntil: Number.isNaN(until) ? undefined : until,
          // Date is cut to whole seconds (RFC 9110, 6.6.1): on average it is half a second old
          skew: Number.isNaN(date) ? undefined : middle - date - 500
        })
      response.on('data', (chunk: Buffer) => {
        size += chunk.length
        chunks.push(chunk)
        if (size <= MAX_BYTES) return
        done()
        response.destroy()
      })
      response.on('end', done)
      response.on('error', reject)
    })
    request.on('error', reject)
    request.end(body)
  })
}
