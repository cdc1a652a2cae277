import type { Clock } from '../clock.js'
import type { EntryId, Outbox } from '../outbox/outbox.js'
import { idOf, type Refused, type Settled } from './batch.js'

/** A dead letter that cannot be written is tried again so often. */
const BURY_AGAIN = 5_000

/** What becomes of refused entries, and who is told of any. */
export interface SettlementOptions {
  /** Whether refused entries become dead letters; otherwise they are forgotten once `settled` was told. */
  keepRefused: boolean
  /** An entry left the outbox: delivered, or refused. Told once for each. */
  settled?: (id: EntryId, refused: Refused | undefined) => void
  onDelivered?: (entries: number) => void
  /** Entries became dead letters. */
  onBuried?: (entries: number, code: string) => void
}

export interface SettlementParts {
  outbox: Outbox
  clock: Clock
  /** The outbox could not be written. */
  onFault: (error: unknown) => void
  /** Entries that were claimed are settled. */
  freed: () => void
}

export interface Settlement {
  settle(outcome: Settled): void
  /** Dead letters that are being written. */
  busy(): boolean
  stop(): void
}

/** Tells the outbox and whoever waits what became of entries. */
export function createSettlement(parts: SettlementParts, options: SettlementOptions): Settlement {
  const { outbox, clock, onFault, freed } = parts
  const { keepRefused, settled, onDelivered, onBuried } = options
  let stopped = false
  let burials = 0

  /** An acknowledgement that is lost means that the entries are sent once more after a restart. */
  function acknowledge(ids: readonly EntryId[]): void {
    const done = outbox.acknowledge(ids)
    if (done instanceof Promise) done.catch(onFault)
  }

  /** They stay claimed until it succeeds: released they would be sent, and refused, again. */
  async function bury(refused: readonly Refused[]): Promise<void> {
    const items = refused.map(({ entry, status, code, field, message, answer }) => ({
      id: entry.id,
      reason: { code, status, message: field === '' ? message : `${field}: ${message}`, answer }
    }))
    try {
      await outbox.bury(items)
    } catch (error) {
      onFault(error)
      if (!stopped) clock.setTimeout(() => void bury(refused), BURY_AGAIN)
      return
    }
    burials--
    for (const each of refused) settled?.(each.entry.id, each)
    for (const { reason } of items) onBuried?.(1, reason.code)
    freed()
  }

  return {
    settle({ taken, refused }) {
      if (taken.length > 0) {
        const ids = taken.map(idOf)
        acknowledge(ids)
        if (settled !== undefined) for (const id of ids) settled(id, undefined)
        onDelivered?.(ids.length)
      }
      if (refused.length === 0) return
      if (keepRefused) {
        burials++
        void bury(refused)
        return
      }
      acknowledge(refused.map(each => each.entry.id))
      for (const each of refused) settled?.(each.entry.id, each)
    },

    busy: () => burials > 0,

    stop() {
      stopped = true
    }
  }
}
