import type { Clock } from '../../../src/clock.js'

interface Due {
  callback: () => void
  cleared: boolean
  timer?: unknown
}

/**
 * The time of one process among several: it may stand still (SIGSTOP, or an event loop that is blocked) and then finds its
 * timers due before it reads what has come meanwhile, as Node.js does; and it may be killed.
 */
export class Process implements Clock {
  dead = false
  #clock: Clock
  #still = false
  #timers: Due[] = []
  #heard: Due[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now = () => this.#clock.now()
  wall = () => this.#clock.wall()

  setTimeout = (callback: () => void, ms: number): unknown => this.#later(callback, ms, this.#timers)

  clearTimeout = (timer: unknown): void => {
    if (timer === undefined) return
    const due = timer as Due
    due.cleared = true
    this.#clock.clearTimeout(due.timer)
  }

  soon = (callback: () => void): void => {
    setImmediate(() => {
      if (this.#still) this.#heard.push({ callback, cleared: false })
      else if (!this.dead) callback()
    })
  }

  /** Something comes over the network after `ms`. */
  hear(callback: () => void, ms: number): void {
    this.#later(callback, ms, this.#heard)
  }

  #later(callback: () => void, ms: number, queue: Due[]): Due {
    const due: Due = { callback, cleared: false }
    due.timer = this.#clock.setTimeout(() => {
      if (this.#still) queue.push(due)
      else if (!this.dead) callback()
    }, ms)
    return due
  }

  standStill(ms: number): void {
    if (this.#still || this.dead) return
    this.#still = true
    this.#clock.setTimeout(() => this.#goOn(), ms)
  }

  #goOn(): void {
    this.#still = false
    for (const queue of [this.#timers, this.#heard]) {
      for (const due of queue.splice(0)) if (!due.cleared && !this.dead) due.callback()
    }
  }
}
