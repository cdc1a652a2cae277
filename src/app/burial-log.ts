import type { FastifyBaseLogger } from 'fastify'
import type { Clock } from '../clock.js'

const GATHER_MS = 10_000

export interface BurialLog {
  buried(entries: number, code: string): void
  /** Says what is still gathered. */
  end(): void
}

/**
 * Says that entries became dead letters: the first of a code at once, those that follow it in one line every ten seconds. Each
 * is buried alone, so a bulk of nothing but bad entries would be hundreds of lines.
 */
export function createBurialLog(log: FastifyBaseLogger, clock: Clock): BurialLog {
  const gathered = new Map<string, { entries: number; timer: unknown }>()

  function say(entries: number, code: string): void {
    log.error({ entries, code }, 'entries became dead letters: see `logtrail-bff dead-letters list`')
  }

  function gather(code: string): void {
    gathered.set(code, { entries: 0, timer: clock.setTimeout(() => over(code), GATHER_MS) })
  }

  function over(code: string): void {
    const { entries } = gathered.get(code)!
    gathered.delete(code)
    if (entries === 0) return
    say(entries, code)
    gather(code)
  }

  return {
    buried(entries, code) {
      const more = gathered.get(code)
      if (more !== undefined) more.entries += entries
      else {
        say(entries, code)
        gather(code)
      }
    },

    end() {
      for (const [code, { entries, timer }] of gathered) {
        clock.clearTimeout(timer)
        if (entries > 0) say(entries, code)
      }
      gathered.clear()
    }
  }
}
