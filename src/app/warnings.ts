import type { FastifyBaseLogger } from 'fastify'

/** Once a minute at most: while it lasts, the requests' own lines tell how many it meets. */
const AGAIN_MS = 60_000

/** What whoever runs this is to know of, said seldom although it is met with every request. */
export function createWarnings(log: FastifyBaseLogger, now: () => number = performance.now.bind(performance)) {
  let toldOfForwarding = false
  let toldOfOverload = Number.NEGATIVE_INFINITY
  return {
    untrustedForwarding(address: string): void {
      if (toldOfForwarding) return
      toldOfForwarding = true
      log.warn(
        { address },
        'forwarding headers came from an address that TRUST_PROXY does not name, and are ignored: all users behind it look like one'
      )
    },
    overload(short: string): void {
      if (now() - toldOfOverload < AGAIN_MS) return
      toldOfOverload = now()
      log.warn({ short }, 'overloaded: requests are refused with 503 until it is over')
    }
  }
}
