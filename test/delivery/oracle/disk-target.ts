import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createDiskOutbox } from '../../../src/outbox/disk.js'
import type { Order, Report } from './child.js'
import type { Books, Target } from './oracle.js'

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url))

/** Queued delivery in a process of its own, without the HTTP around it. */
export function createDiskTarget(path: string): Target {
  let child: ChildProcess | undefined
  let running = false
  let number = 0
  const open = new Map<number, (acknowledged: boolean) => void>()
  const waiting = new Set<(report: Report) => void>()

  // One that was killed a moment ago still counts as connected.
  const order = (what: Order) => child?.connected && child.send(what, () => {})

  function report<K extends Report['kind']>(kind: K): Promise<Extract<Report, { kind: K }>> {
    return new Promise(resolve => {
      const look = (said: Report) => {
        if (said.kind !== kind) return
        waiting.delete(look)
        resolve(said as Extract<Report, { kind: K }>)
      }
      waiting.add(look)
    })
  }

  return {
    async start(upstream) {
      const { NODE_OPTIONS: _, ...env } = process.env
      child = fork(CHILD, { execArgv: ['--import', 'tsx'], env })
      child.on('message', (said: Report) => {
        if (said.kind === 'settled') {
          open.get(said.number)?.(said.acknowledged)
          open.delete(said.number)
        } else for (const look of waiting) look(said)
      })
      await report('ready')
      order({ kind: 'start', setting: { path, ...upstream } })
      await report('started')
      running = true
    },

    deliver(user, ids) {
      const mine = ++number
      return new Promise(resolve => {
        open.set(mine, resolve)
        if (!running || !order({ kind: 'deliver', number: mine, user, ids })) {
          open.delete(mine)
          resolve(false)
        }
      })
    },

    async rotate(keys) {
      order({ kind: 'rotate', keys })
    },

    async waiting() {
      const said = report('waiting')
      order({ kind: 'count' })
      return (await said).entries
    },

    async kill() {
      running = false
      const dying = child
      const gone = once(dying!, 'close')
      dying!.kill('SIGKILL')
      await gone
      // What it said before it died has been read by now; of the rest nobody knows.
      for (const resolve of open.values()) resolve(false)
      open.clear()
    },

    async stop() {
      const gone = once(child!, 'close')
      const stopped = report('stopped')
      order({ kind: 'stop' })
      const { books } = await stopped
      await gone
      return books satisfies Books
    },

    async inspect() {
      const outbox = createDiskOutbox({ path, maxBytes: 1e9, control: false })
      await outbox.start()
      const letters = await outbox.deadLetters.list({ limit: 1_000_000, bodies: true })
      const { waiting } = outbox.stats()
      await outbox.stop()
      return { dead: letters.map(letter => JSON.parse(letter.body!).metadata.id as string), waiting }
    }
  }
}
