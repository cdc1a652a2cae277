/** Queued delivery over a disk store as a process, to be killed. Speaks with its parent by messages. */

import { systemClock } from '../../../src/clock.js'
import { createBudget } from '../../../src/delivery/budget.js'
import { createQueued } from '../../../src/delivery/queued.js'
import { createLogtrailClient } from '../../../src/logtrail/client.js'
import { createKeyring } from '../../../src/logtrail/keyring.js'
import { createDiskOutbox } from '../../../src/outbox/disk.js'
import { logEntry } from '../entry.js'
import type { Books } from './oracle.js'

export interface Setting {
  path: string
  url: string
  keys: string[]
}

export type Order =
  | { kind: 'start'; setting: Setting }
  | { kind: 'deliver'; number: number; user: string; ids: string[] }
  | { kind: 'rotate'; keys: string[] }
  | { kind: 'count' }
  | { kind: 'stop' }

export type Report =
  | { kind: 'ready' }
  | { kind: 'started' }
  | { kind: 'settled'; number: number; acknowledged: boolean }
  | { kind: 'waiting'; entries: number }
  | { kind: 'stopped'; books: Books }

const tell = (report: Report) => void process.send!(report)
let house: ReturnType<typeof open> | undefined

function open({ path, url, keys }: Setting) {
  const keyring = createKeyring(keys)
  const client = createLogtrailClient({ baseUrl: url, keyring, timeoutMs: 400, connections: 16, userAgent: 'oracle' })
  const outbox = createDiskOutbox({ path, maxBytes: 1e9, control: false })
  const books: Books = { received: 0, inherited: 0, delivered: 0, waiting: 0, rejected: 0, deadLetters: 0 }
  const delivery = createQueued({
    outbox,
    client,
    keyring,
    budget: createBudget({ requestsPerMinute: 6000, clock: systemClock }),
    clock: systemClock,
    maxBatch: 50,
    maxBytes: 1_000_000,
    maxWait: 20,
    maxAge: 86_400_000,
    // Backoff as in earnest, a tenth as long: a minute must hold many faults.
    random: () => Math.random() / 10,
    onDelivered: entries => {
      books.delivered += entries
    },
    onBuried: entries => {
      books.deadLetters += entries
    }
  })
  return { keyring, client, outbox, books, delivery }
}

process.on('message', async (order: Order) => {
  if (order.kind === 'start') {
    house = open(order.setting)
    house.books.inherited = (await house.delivery.start()).inherited
    tell({ kind: 'started' })
    return
  }
  const { keyring, client, outbox, books, delivery } = house!
  switch (order.kind) {
    case 'deliver': {
      const { number, user, ids } = order
      books.received += ids.length
      const entries = ids.map(id => logEntry(id))
      const acknowledged = await delivery.deliver({ user, entries, bulk: true }).then(
        () => true,
        () => false
      )
      if (!acknowledged) books.rejected += ids.length
      tell({ kind: 'settled', number, acknowledged })
      break
    }
    case 'rotate':
      keyring.replace(order.keys)
      break
    case 'count':
      tell({ kind: 'waiting', entries: outbox.stats().waiting })
      break
    case 'stop':
      await delivery.stop(5000)
      books.waiting = outbox.stats().waiting
      await client.close()
      tell({ kind: 'stopped', books })
      process.disconnect()
  }
})
tell({ kind: 'ready' })
