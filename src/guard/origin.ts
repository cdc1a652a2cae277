import type { IncomingHttpHeaders } from 'node:http'

/** `authorization`: neither header speaks; only a session in an `Authorization` header, which no other site can make a browser send, lets in. */
export type OriginVerdict = 'allowed' | 'authorization' | 'forbidden'

/**
 * Does the request come from a page that may send? Fetch Metadata first (W3C Fetch Metadata Request Headers:
 * `Sec-Fetch-Site` is set by the browser and cannot be set by a page), then `Origin` (RFC 6454).
 *
 * @param allowed exact origins besides same-origin
 * @returns a check over the request's headers; `host` is the host the browser asked for (`X-Forwarded-Host` only
 *   from a trusted proxy)
 */
export function createOriginCheck(
  allowed: ReadonlySet<string>
): (headers: IncomingHttpHeaders, host: string) => OriginVerdict {
  return (headers, host) => {
    const site = headers['sec-fetch-site']
    const origin = headers.origin
    if (site === 'same-origin') return 'allowed'
    if (origin !== undefined) {
      if (allowed.has(origin)) return 'allowed'
      return site === undefined && isSameHost(origin, host) ? 'allowed' : 'forbidden'
    }
    return site === undefined ? 'authorization' : 'forbidden'
  }
}

/** The port left out means the scheme's own, and the scheme is the page's: behind TLS termination we cannot see ours. */
function isSameHost(origin: string, host: string): boolean {
  const scheme = /^https?:\/\//.exec(origin)?.[0]
  if (scheme === undefined || !/^[\w.:[\]-]+$/.test(host)) return false
  if (!URL.canParse(origin) || !URL.canParse(scheme + host)) return false
  const page = new URL(origin)
  return page.origin === origin && page.host === new URL(scheme + host).host
}
