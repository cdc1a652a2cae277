import type { CheckResult } from './readiness.js'

export interface Monitor {
  /** What each check said last; before its first answer, that it is not known yet. */
  last(name: string): CheckResult
  stop(): void
}

/** Asks each check again and again in the background, so that a probe is answered from what is known. */
export function createMonitor(checks: Record<string, () => Promise<CheckResult>>, everyMs = 10_000): Monitor {
  const results = new Map<string, CheckResult>()
  const running = new Set<string>()
  const ask = (name: string, check: () => Promise<CheckResult>): void => {
    if (running.has(name)) return
    running.add(name)
    check()
      .catch(() => ({ ok: false, message: 'the check itself failed' }))
      .then(result => results.set(name, result))
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
    stop: () => clearInterval(timer)
  }
}
