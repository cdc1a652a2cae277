import type { IncomingHttpHeaders } from 'node:http'
import { isIP, isIPv4 } from 'node:net'
import rateLimit from '@fastify/rate-limit'
import { BoundedMap } from '../bounded-map.js'

/** An IPv6 customer is handed a /64 at least, and may use any address of it (RFC 6177): it counts as one caller. */
const IPV6_SUBNET = 64

/** An address with a port behind it: `192.0.2.7:4711`, `[2001:db8::1]:4711`, `[2001:db8::1]`. */
const PORT = /^(?:([\d.]{7,15}):\d{1,5}|\[([\da-f:.]{2,45})\](?::\d{1,5})?)$/i

/**
 * The key that an address counts under: IPv4 as it is, IPv4 in IPv6 (RFC 4291, 2.5.5.2) as IPv4, IPv6 by its /64.
 * @fastify/rate-limit folds by itself only where it makes the key; a keyGenerator of our own must call this.
 */
export function foldAddress(address: string): string {
  if (isIPv4(address)) return address
  return rateLimit.normalizeIP(address, IPV6_SUBNET)
}

/**
 * The address as entries and people see it: a valid IP address, IPv4 in IPv6 written as IPv4. What a trusted proxy
 * forwarded may have a port behind it (IIS, Azure), or be anything ("unknown", RFC 7239, 6.2): then the proxy's own address
 * stands in.
 */
export function clientAddress(claimed: string | undefined, socketAddress: string | undefined): string {
  for (const said of [claimed, socketAddress]) {
    if (said === undefined) continue
    const candidate = isIP(said) === 0 ? said.replace(PORT, '$1$2') : said
    if (isIPv4(candidate)) return candidate
    if (isIP(candidate) !== 6) continue
    const plain = candidate.split('%', 1)[0]!
    // IPv4 in IPv6 has many spellings, and counts as IPv4 in each
    const folded = foldAddress(plain)
    return isIPv4(folded) ? folded : plain
  }
  return '0.0.0.0' // the socket is gone already
}

const FORWARDING = ['x-forwarded-for', 'x-forwarded-host', 'x-forwarded-proto', 'forwarded', 'x-real-ip'] as const

/** Whether a request says that it comes by somebody else. */
export function isForwarded(headers: IncomingHttpHeaders): boolean {
  for (const name of FORWARDING) if (headers[name] !== undefined) return true
  return false
}

/** Who sends, by address. */
export interface ClientAddress {
  /** As entries and people see it. */
  address: string
  /** What it counts under. */
  key: string
  /** Whether the address limit spares it. */
  spared: boolean
}

/** Some 200 bytes each. */
const MAX_KNOWN = 10_000

/**
 * Reads addresses, and remembers them by what was claimed: the same few thousand browsers send again and again, and to read an
 * address costs as much as to check a session.
 */
export function createAddresses(
  isSpared: (address: string) => boolean
): (claimed: string | undefined, socketAddress: string | undefined) => ClientAddress {
  const known = new BoundedMap<ClientAddress>(MAX_KNOWN)
  return (claimed, socketAddress) => {
    const found = claimed === undefined ? undefined : known.get(claimed)
    if (found !== undefined) return found
    const address = clientAddress(claimed, socketAddress)
    const from = { address, key: foldAddress(address), spared: isSpared(address) }
    // anything else stands for the socket that it came from
    if (claimed !== undefined && isIP(claimed) !== 0) known.set(claimed, from)
    return from
  }
}
