import { choice, duration, integer, list, network, plain, size } from '../forms.js'
import { always } from '../variable.js'

/** Where the program listens and whom it hears. */
export const serving = {
  HOST: always(plain('listen'), '127.0.0.1', 'Address of the public listener. The container image sets `0.0.0.0`.'),
  PORT: always(integer(0, 65535), '8790', 'Port of the public listener; `0` takes any free one.'),
  ADMIN_HOST: always(
    plain('listen'),
    '127.0.0.1',
    'Address of the admin listener: health, readiness, metrics, status page. The container image sets `0.0.0.0`; never publish it.'
  ),
  ADMIN_PORT: always(integer(0, 65535), '9790', 'Port of the admin listener; `0` turns it off.'),
  LOG_LEVEL: always(
    choice('fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'),
    'info',
    "How much this program logs, in pino's levels."
  ),
  TRUST_PROXY: always(
    list(network('loopback', 'linklocal', 'uniquelocal')),
    '',
    'Reverse proxies in front, whose forwarding headers are believed: addresses, CIDRs, `loopback`, `linklocal`, `uniquelocal`. From anybody else they are ignored. `true` and numbers are refused: with them a client can choose its address.'
  ),
  ROUTE_PREFIX: always(plain('prefix'), '/logtrail', 'Path under which the routes stand; `/` puts them at the root.'),
  ALLOWED_ORIGINS: always(
    list(plain('origin')),
    '',
    "Origins besides the proxy's own whose pages may log (`https://app.example.com`), exactly as a browser sends them. `*` is refused."
  ),
  BODY_LIMIT: always(size('1kb', '64mb'), undefined, 'Largest request body.', {
    otherwise: "twice the plan's batch × entry size, at least 256 KiB, at most 4 MiB"
  }),
  SHUTDOWN_TIMEOUT: always(
    duration('0', '10m'),
    '8s',
    'How long SIGTERM and SIGINT wait for requests in flight; whoever still waits then gets a 503. A second signal ends at once.'
  )
}

/** How much anyone may send. */
export const limits = {
  RATE_LIMIT_WINDOW: always(duration('100ms', '1d'), '1m', 'The window of all limits below.'),
  RATE_LIMIT_IP_MAX: always(
    integer(0, 1e9),
    '3000',
    'Requests from one address (IPv6: one /64), refused ones included; `0` turns the limit off.'
  ),
  RATE_LIMIT_MAX: always(integer(0, 1e9), '120', 'Requests by one user; `0` turns the limit off.'),
  RATE_LIMIT_LOGS_MAX: always(integer(0, 1e9), '1000', 'Entries by one user; `0` turns the limit off.'),
  RATE_LIMIT_ANONYMOUS_MAX: always(
    integer(0, 1e9),
    '30',
    'Requests without a session from one address; `0` turns the limit off.'
  ),
  RATE_LIMIT_ANONYMOUS_LOGS_MAX: always(
    integer(0, 1e9),
    '300',
    'Entries without a session from one address; `0` turns the limit off.'
  ),
  RATE_LIMIT_ALLOWLIST: always(
    list(network()),
    '',
    'Addresses and CIDRs that the limit by address spares: monitoring, an office behind one address.'
  )
}
