import { stat } from 'node:fs/promises'
import { type Control, reachDeadLetters } from './control.js'
import { createDiskOutbox } from './disk.js'
import type { OutboxEvent } from './engine.js'
import { type DeadLetters, OutboxLockedError } from './outbox.js'

/** How often a store is tried that another process has without answering: it is just starting, or just ending. */
const ATTEMPTS = 20
const BETWEEN = 250

/**
 * The dead letters of the queue at a path, for the command line: from the serve that runs there, else from the store
 * itself, which is then locked until `close`.
 *
 * @param report what was found damaged
 * @throws Error where there is no queue or it cannot be used; OutboxLockedError where a process has it and does not answer
 */
export async function openDeadLetters(
  path: string,
  report?: (event: OutboxEvent) => void,
  between = BETWEEN
): Promise<DeadLetters & Control> {
  if (!(await stat(path).catch(() => undefined))?.isDirectory()) throw new Error(`there is no queue at ${path}`)
  for (let attempt = 1; ; attempt++) {
    const served = await reachDeadLetters(path)
    if (served !== undefined) return served
    // The bound is for new entries; moving dead letters back adds none.
    const outbox = createDiskOutbox({ path, maxBytes: 0, control: false, ...(report && { report }) })
    try {
      const { damage, setAside } = await outbox.start()
      if (damage !== undefined) report?.({ kind: 'damaged', message: damage, ...(setAside && { setAside }) })
      return { ...outbox.deadLetters, close: () => outbox.stop() }
    } catch (error) {
      if (!(error instanceof OutboxLockedError) || attempt === ATTEMPTS) throw error
      await new Promise(resolve => setTimeout(resolve, between))
    }
  }
}
