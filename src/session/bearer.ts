/**
 * The token of an `Authorization: Bearer` header (RFC 6750); null when the header is absent or of another scheme, which
 * is not ours to read: a browser sends `Basic` on its own to a site behind a password, beside the app's own cookie.
 * A bearer header without a token gives '', which no source takes for a session. The scheme's case does not matter
 * (RFC 9110, 11.1).
 */
export function readBearer(authorization: string | undefined): string | null {
  if (authorization === undefined) return null
  if (authorization.startsWith('Bearer ')) return authorization.slice(7).trim()
  const other = /^bearer(?: +(.*))?$/i.exec(authorization)
  return other ? (other[1] ?? '').trim() : null
}
