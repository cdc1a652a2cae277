import { ENVIRONMENTS, KEY_TYPES } from '../logtrail/key.js'
import { charSet, type Scan } from './scan.js'

const BASE64URL = charSet('A-Z', 'a-z', '0-9', '_', '-')
/** RFC 6750's b64token without the trailing `=`. */
const TOKEN = charSet('A-Z', 'a-z', '0-9', '-._~+/')

/** Between the parts of tokens that are none by the letter, but in use: `1|…`, `key:secret`; not that of `https://`. */
const DIVIDER = charSet('|:')

/** `{"alg":"none"}` takes 19 characters; shorter beginnings are words. */
const SHORTEST_HEADER = 10

/** Longer ones do not fit into any header; with certificates in it a real one may have a few thousand. */
const LONGEST_HEADER = 8192

function endOf(set: Uint8Array, text: string, at: number, most = Number.POSITIVE_INFINITY): number {
  let end = at
  while (end - at < most && set[text.charCodeAt(end)] === 1) end++
  return end
}

/** Logtrail's keys, `lt_{environment}_{type}_{random}`; the scan stops at the first `_`. Each part can match in one way only. */
const KEY_AFTER_LT = new RegExp(`_(?:${ENVIRONMENTS.join('|')})_(?:${KEY_TYPES.join('|')})_[A-Za-z0-9_-]+`, 'iy')

export function findLogtrailKey(text: string, at: number, scan: Scan): boolean {
  // 0x20 makes letters lower case.
  if (at - 2 < scan.kept || (text.charCodeAt(at - 1) | 0x20) !== 0x74 || (text.charCodeAt(at - 2) | 0x20) !== 0x6c)
    return false
  KEY_AFTER_LT.lastIndex = at
  if (!KEY_AFTER_LT.test(text)) return false
  scan.from = at - 2
  scan.to = KEY_AFTER_LT.lastIndex
  return true
}

/**
 * A JWT (RFC 7519), signed or encrypted: two to five base64url parts, the first beginning with `{"` (`eyJ`; the scan stops at
 * the `J`). Two parts are enough where the second is an object too: the signature was cut off.
 */
export function findJwt(text: string, at: number, scan: Scan): boolean {
  const from = at - 2
  if (from < scan.kept || from < scan.jwtDone || text[at - 1] !== 'y' || text[from] !== 'e') return false
  const header = endOf(BASE64URL, text, at, LONGEST_HEADER)
  let to = header
  let parts = 1
  while (parts < 5 && text[to] === '.') {
    const end = endOf(BASE64URL, text, to + 1)
    // Only an encrypted one has an empty part, the second.
    if (end === to + 1 && parts !== 1) break
    to = end
    parts++
  }
  const whole = parts >= 3 || (parts === 2 && text.startsWith('eyJ', header + 1))
  if (header - from < SHORTEST_HEADER || !whole) {
    // No later beginning in the same part can do better.
    scan.jwtDone = header
    return false
  }
  scan.from = from
  scan.to = to
  return true
}

/** What follows "bearer" in prose and in WWW-Authenticate rather than in Authorization. */
const NO_TOKEN = new Set([
  'of',
  'token',
  'tokens',
  'auth',
  'authentication',
  'authorization',
  'scheme',
  'realm',
  'error',
  'scope',
  'is',
  'was',
  'and',
  'or'
])

/** `Bearer` and its token (RFC 6750, section 2.1), also in a URL's encoding; the scan stops at the B. */
export function findBearer(text: string, at: number, scan: Scan): boolean {
  if ((text.charCodeAt(at + 1) | 0x20) !== 0x65 || (text.charCodeAt(at + 2) | 0x20) !== 0x61) return false
  if (text.slice(at, at + 6).toLowerCase() !== 'bearer') return false
  let from = at + 6
  if (text.startsWith('%20', from)) from += 3
  else {
    const first = from
    while (text[from] === ' ' || text[from] === '\t' || text[from] === '+') from++
    if (from === first) return false
  }
  const end = endOf(TOKEN, text, from)
  // asked before it reads on: "bearer of:bearer of:…" would be read to its end at each bearer
  if (end - from <= 14 && text[end] !== '|' && NO_TOKEN.has(text.slice(from, end).toLowerCase())) return false
  let to = end
  let next = end > from ? endOf(DIVIDER, text, end) : end
  while (next > to && text[next] !== '/' && TOKEN[text.charCodeAt(next)] === 1) {
    to = endOf(TOKEN, text, next)
    next = endOf(DIVIDER, text, to)
  }
  while (text[to] === '=') to++
  if (to === from) return false
  scan.from = from
  scan.to = to
  return true
}
