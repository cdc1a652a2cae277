import { isIP, isIPv4 } from 'node:net'
import rateLimit from '@fastify/rate-limit'

/** An IPv6 customer is handed a /64 at least, and may use any address of it (RFC 6177): it counts as one sender. */
const IPV6_SUBNET = 64

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
 * forwarded may be anything ("unknown", RFC 7239 6.2, a port behind it): then the proxy's own address stands in.
 */
export function clientAddress(claimed: string | undefined, socketAddress: string | undefined): string {
  for (const candidate of [claimed, socketAddress]) {
    if (candidate === undefined) continue
    const plain = candidate.startsWith('::ffff:') ? candidate.slice(7) : candidate
    if (isIPv4(plain)) return plain
    if (isIP(candidate) === 6) return candidate.split('%', 1)[0]!
  }
  return '0.0.0.0' // the socket is gone already
}
