import type { Redis } from 'ioredis'
import { createHistory } from '../admin/history.js'
import { createMetrics } from '../admin/metrics.js'
import { degradedChecks, type Phase } from '../admin/readiness.js'
import { createStatus } from '../admin/status.js'
import type { Config } from '../config.js'
import type { Keyring } from '../logtrail/keyring.js'
import type { PublicListener } from '../public.js'
import type { SessionSource } from '../session/session.js'
import { VERSION } from '../version.js'
import { createChecks } from './checks.js'
import { type Line, lineStatus, queueReading } from './delivery.js'
import { limitsInForce } from './limits-in-force.js'
import type { ObservedClient } from './observed-client.js'
import type { UpstreamCheck } from './upstream.js'

/** What a start has not made yet when the admin listener opens: looked at each time that somebody asks. */
export interface State {
  phase: Phase
  /** Once its outbox is open. Direct mode has none. */
  line: Line | undefined
  listener: PublicListener | undefined
}

/** What the admin listener tells of. */
export interface Observed {
  state: State
  keyring: Keyring
  sessions: SessionSource
  redis: Redis | undefined
  upstream: UpstreamCheck
  logtrail: ObservedClient
}

export type Observation = ReturnType<typeof createObservation>

/** What is counted and checked, and told by the admin listener in its forms: readiness, metrics, the status page. */
export function createObservation(config: Config, { state, keyring, sessions, redis, upstream, logtrail }: Observed) {
  const line = () => state.line
  const direct = config.DELIVERY === 'direct'
  const checks = createChecks({ phase: () => state.phase, keyring, sessions, redis, upstream, direct, line })
  const keys = () => keyring.state().map(({ info, state }) => ({ ...info, state }))
  const metrics = createMetrics({
    keys,
    // not a check of /readyz: anybody who reaches the listener can send such a header
    degraded: () => ({ ...degradedChecks(checks), proxy_trust: history.clients().untrustedForwarding }),
    logsPerMonth: config.LOGTRAIL_LOGS_PER_MONTH,
    queue: () => queueReading(line()?.outbox),
    // direct mode keeps no budget: what Logtrail says it has left, and before it says anything the plan's
    budgetRemaining: () => line()?.budget.remaining() ?? logtrail.remaining() ?? config.LOGTRAIL_REQUESTS_PER_MINUTE
  })
  const history = createHistory(() => {
    const { received, delivered } = metrics.books()
    const { entries: waiting, oldestAgeSeconds: ageSeconds } = queueReading(line()?.outbox)
    return {
      received,
      delivered,
      ...(state.line ? { waiting, ageSeconds, budget: state.line.budget.remaining() } : {})
    }
  })
  const report = createStatus({
    version: VERSION,
    delivery: config.DELIVERY,
    readiness: checks,
    history,
    limits: limitsInForce(config),
    keys,
    books: metrics.books,
    inFlight: () => state.listener?.drain.inFlight() ?? 0,
    limitTold: logtrail.limit,
    ...lineStatus(line, config)
  })
  return { checks, metrics, history, report }
}
