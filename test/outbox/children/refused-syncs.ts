/**
 * Changes the queue at a path until a sync is refused, three times: as it appends, buries and retries dead letters one by
 * one. Each time it waits until the store was opened again, and writes `writable`. Then it opens the queue anew and leaves a
 * note of what it was told and what it found.
 */
import { EventEmitter, once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createDiskOutbox } from '../../../src/outbox/disk.js'
import { say } from './say.js'

export interface Note {
  /** How many changes of each kind were done before the one that was refused. */
  done: { appended: number; buried: number; retried: number }
  /** Numbers of entries, in their order. */
  told: { waiting: number[]; dead: number[] }
  found: { waiting: number[]; dead: number[] }
}

const path = process.argv[2] as string
const events = new EventEmitter()
const open = async () => {
  const outbox = createDiskOutbox({
    path,
    maxBytes: 1e9,
    control: false,
    reopenAfter: { first: 1, longest: 1 },
    report({ kind }) {
      if (kind === 'writable') say('writable\n')
      events.emit(kind)
    }
  })
  await outbox.start()
  return outbox
}
const outbox = await open()

/** One after the other until one is refused; how many were not. */
async function untilRefused(changes: Iterable<() => Promise<unknown>>): Promise<number> {
  const writable = once(events, 'writable')
  let done = 0
  for (const change of changes) {
    try {
      await change()
      done++
    } catch {
      await writable
      return done
    }
  }
  throw new Error('no sync was refused')
}

const waiting: number[] = []
const dead: number[] = []
let next = 1000
async function append(count: number): Promise<void> {
  const numbers = Array.from({ length: count }, () => next++)
  await outbox.append(numbers.map(n => ({ user: 'u:ann', body: String(n) })))
  waiting.push(...numbers)
}

const appended = await untilRefused(Array.from({ length: 100 }, () => () => append(1)))
await append(100)
const claimed = await outbox.claim({ entries: 1000, bytes: 1e6 })
const buried = await untilRefused(
  claimed.map(({ id, body }) => async () => {
    await outbox.bury([{ id, reason: { code: 'X', message: 'x' } }])
    dead.push(Number(body))
    waiting.splice(waiting.indexOf(Number(body)), 1)
  })
)
const rest = (await outbox.claim({ entries: 1000, bytes: 1e6 })).map(({ id }) => id)
await outbox.bury([...claimed.map(({ id }) => id), ...rest].map(id => ({ id, reason: { code: 'X', message: 'x' } })))
dead.push(...waiting.splice(0))
const letters = await outbox.deadLetters.list({ limit: 1000, bodies: true })
const retried = await untilRefused(
  letters.map(({ id, body }) => async () => {
    await outbox.deadLetters.retry([id])
    waiting.push(Number(body))
    dead.splice(dead.indexOf(Number(body)), 1)
  })
)
await outbox.stop()

const again = await open()
const found = {
  waiting: (await again.claim({ entries: 1000, bytes: 1e6 })).map(({ body }) => Number(body)),
  dead: (await again.deadLetters.list({ limit: 1000, bodies: true })).map(({ body }) => Number(body))
}
await again.stop()
const note: Note = { done: { appended, buried, retried }, told: { waiting, dead }, found }
writeFileSync(join(path, 'note'), JSON.stringify(note))
