import type { CheckResult } from './readiness.js'

export interface Monitor {
  /** What each check said last; before its first answer, that it is not known yet. */
  last(name: string): CheckResult
  stop(): void
}

/**
 * Asks each check again and again in the background, so that a probe is answered from what is known; one that fails
 * sooner, since at a start the connection that it asks over is still being made.
 */
export function createMonitor(
  checks: Record<string, () => Promise<CheckResult>>,
  everyMs = 10_000,
  failingMs = 1000
): Monitor {
  const results = new Map<string, CheckResult>()
  const again = new Map<string, NodeJS.Timeout>()
  let stopped = false
  const running = new Set<string>()
  const ask = (name: string, check: () => Promise<CheckResult>): void => {
    if (running.has(name)) return
    running.add(name)
    check()
      .catch(() => ({ ok: false, message: 'the check itself failed' }))
      .then(result => {
        results.set(name, result)
        clearTimeout(again.get(name))
        if (!result.ok && !stopped) again.set(name, setTimeout(ask, failingMs, name, check).unref())
      })
      .finally(() => running.delete(name))
  }
  const askAll = (): void => {
    for (const [name, check] of Object.entries(checks)) ask(name, check)
  }
  askAll()
  const timer = setInterval(askAll, everyMs)
  timer.unref()
  return {
    last: name => results.get(name) ?? { ok: true, message: 'not asked yet' },
    stop() {
      stopped = true
      clearInterval(timer)
      for (const failing of again.values()) clearTimeout(failing)
    }
  }
}
