/** One check of `/readyz`. The message is for people and holds no secrets. */
export interface CheckResult {
  ok: boolean
  message: string
}

export interface Readiness {
  ready: boolean
  body: { status: 'ok' | 'degraded' | 'starting' | 'stopping' | 'failed'; checks: Record<string, CheckResult> }
}

export type Phase = 'starting' | 'serving' | 'stopping'

export interface ReadinessSource {
  phase(): Phase
  /** Answers at once from what is known: a probe must not wait for Redis or Logtrail. */
  checks: Record<string, () => CheckResult>
  /** False: a queue cannot be written, so no promise can be made. */
  writable(): boolean
}

/**
 * Not ready only while starting, stopping, or when a queue cannot be written: a sidecar's readiness is its pod's, and
 * a refused key must not take the app down. All else is told as degraded.
 */
export function readiness(source: ReadinessSource): Readiness {
  const checks: Record<string, CheckResult> = {}
  for (const [name, check] of Object.entries(source.checks)) checks[name] = check()
  const phase = source.phase()
  if (phase !== 'serving') return { ready: false, body: { status: phase, checks } }
  if (!source.writable()) return { ready: false, body: { status: 'failed', checks } }
  const ok = Object.values(checks).every(check => check.ok)
  return { ready: true, body: { status: ok ? 'ok' : 'degraded', checks } }
}

/** Which checks fail, for the metric `logtrail_bff_degraded`. */
export function degradedChecks(source: ReadinessSource): Record<string, boolean> {
  return Object.fromEntries(Object.entries(source.checks).map(([name, check]) => [name, !check().ok]))
}
