import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { systemClock } from '../../src/clock.js'
import { createBudget } from '../../src/delivery/budget.js'
import type { Delivery, DeliveryOptions } from '../../src/delivery/delivery.js'
import { createPooled } from '../../src/delivery/pooled.js'
import { createQueued } from '../../src/delivery/queued.js'
import { createLogtrailClient } from '../../src/logtrail/client.js'
import { createKeyring, type Keyring } from '../../src/logtrail/keyring.js'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { createMemoryOutbox } from '../../src/outbox/memory.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import type { Logtrail } from '../helper/logtrail/logtrail.js'
import { logEntry } from './entry.js'

export interface HouseOptions extends Partial<DeliveryOptions> {
  mode: 'pooled' | 'queued'
  logtrail: Logtrail
  requestsPerMinute?: number
  keys?: string[]
  /** One upstream request. */
  timeoutMs?: number
  poolTimeout?: number
  /** Where the queue is: a temporary folder where nothing is said. */
  path?: string
}

export interface House {
  delivery: Delivery
  outbox: Outbox
  keyring: Keyring
  states: (string | null)[]
  books: { delivered: number; rejected: number; buried: number }
  /** Entries with these ids. */
  deliver(user: string, ...ids: string[]): ReturnType<Delivery['deliver']>
}

/** Delivery with everything below it as it is in earnest: real client, real store, real time. */
export async function openHouse(t: Test, options: HouseOptions): Promise<House> {
  const { mode, logtrail, requestsPerMinute = 1000, keys = [logtrail.key], timeoutMs = 2000 } = options
  const clock = systemClock
  const keyring = createKeyring(keys)
  const client = createLogtrailClient({
    baseUrl: logtrail.url,
    keyring,
    timeoutMs,
    connections: 16,
    userAgent: 'test'
  })
  const budget = createBudget({ requestsPerMinute, clock })
  const states: (string | null)[] = []
  const books = { delivered: 0, rejected: 0, buried: 0 }
  const common: DeliveryOptions = {
    client,
    keyring,
    budget,
    clock,
    maxBatch: 50,
    maxBytes: 1_000_000,
    maxWait: mode === 'pooled' ? 5 : 1000,
    onState: state => void states.push(state),
    ...options
  }
  const path = options.path ?? (mode === 'queued' ? await mkdtemp(join(tmpdir(), 'delivery-')) : undefined)
  const memory = createMemoryOutbox({ maxEntries: 10_000 })
  const outbox = path === undefined ? memory : createDiskOutbox({ path, maxBytes: 100_000_000, control: false })
  const delivery =
    mode === 'pooled'
      ? createPooled({
          ...common,
          outbox: memory,
          timeout: options.poolTimeout ?? 15_000,
          onSettled: (delivered, rejected) => {
            books.delivered += delivered
            books.rejected += rejected
          }
        })
      : createQueued({
          ...common,
          outbox,
          maxAge: 86_400_000,
          onDelivered: entries => {
            books.delivered += entries
          },
          onBuried: entries => {
            books.buried += entries
          }
        })
  await delivery.start()
  t.teardown(async () => {
    await delivery.stop(0)
    await client.close()
    keyring.close()
    if (path !== undefined && options.path === undefined) await rm(path, { recursive: true, force: true })
  })
  return {
    delivery,
    outbox,
    keyring,
    states,
    books,
    deliver: (user, ...ids) =>
      delivery.deliver({ user: `u:${user}`, entries: ids.map(id => logEntry(id)), bulk: ids.length !== 1 })
  }
}
