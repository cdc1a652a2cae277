import { isIP } from 'node:net'
import type { NetworkShape, Report, UrlShape } from './forms.js'

/** An address or a name to listen on. */
export function readListen(input: string, report: Report): string | undefined {
  if (isIP(input) || HOST_NAME.test(input)) return input
  report('must be an IP address (IPv6 without brackets) or a host name, without scheme or port')
  return undefined
}

const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/i

/**
 * A host of outgoing addresses, in the form `URL.hostname` has, or one port of it (`app:3000`). A port is always written out,
 * also where it is the usual one, which a URL leaves out.
 */
export function readHost(input: string, report: Report): string | undefined {
  const [, name = input, port] = (isIP(input) === 0 && /^(.+):(\d{1,5})$/.exec(input)) || []
  const host = isIP(name) === 6 ? `[${name}]` : name
  const whole = port === undefined ? host : `${host}:${port}`
  const parsed = /^\[[\da-f:.]+\]$/i.test(host) || HOST_NAME.test(host) ? parse(`http://${whole}/`) : undefined
  if (parsed && Number(port) !== 0) return port === undefined ? parsed.hostname : `${parsed.hostname}:${Number(port)}`
  report('must be a host name or an IP address, if need be with a port (`app:3000`), without scheme or path')
  return undefined
}

/** An address, a CIDR, or one of the words the form knows (those of proxy-addr). */
export function readNetwork(form: NetworkShape, input: string, report: Report): string | undefined {
  if (form.names.includes(input)) return input
  const must = ['addresses', 'CIDRs', ...form.names.map(name => `\`${name}\``)].join(', ')
  if (input === 'true' || input === '*') {
    report('must name who is trusted: this would trust every address, so any client could write its own')
    return undefined
  }
  if (/^\d+$/.test(input)) {
    report('must name addresses: a number of hops is fooled by a client that adds hops of its own')
    return undefined
  }
  const [address = '', prefix, ...rest] = input.split('/')
  const version = address.includes('%') ? 0 : isIP(address)
  const bits = prefix === undefined ? 1 : /^\d{1,3}$/.test(prefix) ? Number(prefix) : -1
  if (rest.length > 0 || version === 0 || bits < 0 || bits > (version === 4 ? 32 : 128)) {
    report(`must be made of ${must}; host names are not looked up`)
    return undefined
  }
  if (bits === 0) {
    report('must not cover every address')
    return undefined
  }
  return input
}

/**
 * An origin as browsers send it (RFC 6454, section 6.2): it is compared byte by byte, so a spelling that no browser uses
 * would never match and is refused with the spelling that would.
 */
export function readOrigin(input: string, report: Report): string | undefined {
  const fault = originFault(input)
  if (fault === undefined) return input
  report(fault)
  return undefined
}

function originFault(input: string): string | undefined {
  if (input.includes('*'))
    return 'must be exact origins: a wildcard with credentials would let any page log as its visitor'
  if (input === 'null') return 'must not be `null`: sandboxed pages and files of anyone send it'
  const parsed = parse(input)
  if (!parsed?.host)
    return 'must be an origin: scheme, host and port if it is not the usual one (`https://app.example.com`)'
  if (parsed.username || parsed.password) return 'must be an origin without a user name or password'
  // URL.origin is `null` for schemes of apps (capacitor://localhost), though their web views send an origin.
  const origin = parsed.origin === 'null' ? `${parsed.protocol}//${parsed.host}`.toLowerCase() : parsed.origin
  if (input === origin) return undefined
  return `must be written as a browser sends it, without path or trailing slash: \`${origin}\``
}

/** An outgoing address. Whether plain http is allowed to its host depends on another variable: see checks.ts. */
export function readUrl(form: UrlShape, input: string, report: Report): string | undefined {
  const parsed = /\s/.test(input) ? undefined : parse(input)
  const schemes = form.schemes.map(scheme => `\`${scheme}://\``).join(' or ')
  const redis = form.schemes.includes('redis')
  if (!parsed?.hostname || !form.schemes.includes(parsed.protocol.slice(0, -1)) || (redis && !isEncoded(parsed))) {
    const encode = redis ? '; characters such as `/`, `#`, `%` and `@` in a password are written percent-encoded' : ''
    report(`must be a whole URL that begins with ${schemes}${encode}`)
    return undefined
  }
  if (redis) {
    if (/^\/?\d*$/.test(parsed.pathname) && !parsed.hash) return input
    report('must be a URL whose path, if any, is the number of the database (`/0`)')
    return undefined
  }
  if (parsed.username || parsed.password) return refused(report, 'must not hold a user name or password')
  if (parsed.hash) return refused(report, 'must not have a fragment (`#…`)')
  if (!form.bare) return parsed.href
  if (parsed.search || input.includes('?')) return refused(report, 'must not have a query (`?…`)')
  if (/\/logs(\/bulk)?\/?$/.test(parsed.pathname)) return refused(report, 'must be the base address, without `/logs`')
  return parsed.href.replace(/\/+$/, '')
}

/** As URL.parse, which Node.js 20.19 lacks. */
function parse(input: string): URL | undefined {
  return URL.canParse(input) ? new URL(input) : undefined
}

/** Else the client of Redis would throw as it is made. */
function isEncoded({ username, password }: URL): boolean {
  try {
    return [username, password].map(decodeURIComponent).length > 0
  } catch {
    return false
  }
}

function refused(report: Report, must: string): undefined {
  report(must)
}

/** `/` alone is the empty prefix: the routes stand at the root. */
export function readPrefix(input: string, report: Report): string | undefined {
  if (input === '/') return ''
  const plain = /^(?:\/[A-Za-z0-9_~.-]+)+$/.test(input) && !/\/\.{1,2}(?:\/|$)/.test(input)
  if (plain) return input
  report('must begin with `/`, not end with one, and be made of letters, digits and `-` `_` `.` `~` (`/logtrail`)')
  return undefined
}

/** Whether plain http never leaves the machine: RFC 6761 section 6.3, RFC 1122 section 3.2.1.3, RFC 4291 section 2.5.3. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|.+\.localhost|127(?:\.\d{1,3}){3}|\[::1\])\.?$/.test(hostname)
}
