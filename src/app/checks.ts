import type { Redis } from 'ioredis'
import { createMonitor } from '../admin/monitor.js'
import type { CheckResult, Phase, ReadinessSource } from '../admin/readiness.js'
import type { Keyring } from '../logtrail/keyring.js'
import type { SessionSource } from '../session/session.js'
import type { Line } from './delivery.js'
import { askRedis, redisCheck } from './redis.js'
import type { UpstreamCheck } from './upstream.js'

export interface ChecksOptions {
  phase: () => Phase
  keyring: Keyring
  sessions: SessionSource
  redis: Redis | undefined
  upstream: UpstreamCheck
  /** Whether there is a line: direct mode has none. */
  direct: boolean
  /** Opened only after the checks, which `/readyz` answers from the first moment on. */
  line: () => Line | undefined
}

export interface Checks extends ReadinessSource {
  stop(): void
}

/** What `/readyz` tells of: every part that this program rests on, by name. */
export function createChecks({ phase, keyring, sessions, redis, upstream, direct, line }: ChecksOptions): Checks {
  const monitor = createMonitor({
    session: () => sessions.check(),
    upstream: upstream.reach,
    ...(redis ? { redis: () => askRedis(redis) } : {})
  })
  const asked = (check: () => CheckResult) => () => (upstream.asked() ? check() : monitor.last('upstream'))
  return {
    phase,
    checks: {
      key() {
        const usable = keyring.state().some(key => key.state !== 'refused')
        return { ok: usable, message: usable ? 'no key is refused by Logtrail' : 'Logtrail refuses the API key' }
      },
      session: () => monitor.last('session'),
      ...(redis ? { redis: () => redisCheck(redis, monitor.last('redis')) } : {}),
      upstream: asked(direct ? upstream.check : () => upstreamOf(line())),
      ...(direct ? {} : { queue: () => queueOf(line()) })
    },
    writable: () => line()?.outbox.stats().writable ?? true,
    stop: () => monitor.stop()
  }
}

function upstreamOf(line: Line | undefined): CheckResult {
  const fault = line?.delivery.fault()
  return fault ? { ok: false, message: fault.message } : { ok: true, message: 'Logtrail takes entries' }
}

function queueOf(line: Line | undefined): CheckResult {
  if (line === undefined) return { ok: false, message: 'the queue is being opened' }
  const { writable, fault, waiting } = line.outbox.stats()
  return { ok: writable, message: fault ?? `${waiting} entries wait` }
}
