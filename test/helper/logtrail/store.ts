import { EventEmitter } from 'node:events'
import type { Entry } from './entries.js'
import type { FaultKind } from './faults.js'
import type { Accepted } from './workspace.js'

export interface Stored extends Accepted {
  key: string
  /** The `X-Request-Id` it came with. */
  requestId: string | undefined
  at: number
  /** Number of the request that brought it, from 1. */
  request: number
}

export interface Recorded {
  number: number
  method: string
  url: string
  /** As they were on the wire: names in their case, repeated ones kept. */
  rawHeaders: string[]
  at: number
  /** Undefined until read, and always in `ids` and `count` keeping. */
  body: Buffer | undefined
  bodyBytes: number
  /** How many entries of it were stored. */
  stored: number
  /** Undefined until answered, and for good where no answer was given. */
  status: number | undefined
  fault: FaultKind | undefined
}

export interface Stats {
  requests: number
  entries: number
  answers: Record<string, number>
  faults: Record<string, number>
  /** Connections accepted since the start. */
  connections: number
}

/** `all`: entries and requests; `ids`: only how often each id was stored; `count`: only numbers. */
export type Keep = 'all' | 'ids' | 'count'

export interface StoreEvents {
  request: [Recorded]
  answered: [Recorded]
  stored: [Stored[]]
}

export interface Store {
  readonly events: EventEmitter<StoreEvents>
  readonly stored: Stored[]
  readonly requests: Recorded[]
  /** How often each id was stored, in the order of first storing. */
  readonly ids: Map<string, number>
  readonly stats: Stats
  begin(method: string, url: string, rawHeaders: string[]): Recorded
  keepBody(request: Recorded, body: Buffer): void
  put(request: Recorded, accepted: Accepted[], key: string, requestId: string | undefined): void
  answered(request: Recorded, status: number | undefined): void
  fault(request: Recorded, kind: FaultKind): void
  reset(): void
}

/** Where a test writes the id that it looks for again. */
export function defaultId(entry: Entry): string | undefined {
  const id = (entry.metadata as { id?: unknown } | undefined)?.id
  return id === undefined ? undefined : String(id)
}

export function createStore(keep: Keep, idOf: (entry: Entry) => string | undefined, now: () => number): Store {
  const events = new EventEmitter<StoreEvents>()
  events.setMaxListeners(0)
  const stored: Stored[] = []
  const requests: Recorded[] = []
  const ids = new Map<string, number>()
  const stats: Stats = { requests: 0, entries: 0, answers: {}, faults: {}, connections: 0 }
  let number = 0
  return {
    events,
    stored,
    requests,
    ids,
    stats,
    begin(method, url, rawHeaders) {
      stats.requests++
      const request: Recorded = {
        number: ++number,
        method,
        url,
        rawHeaders,
        at: now(),
        body: undefined,
        bodyBytes: 0,
        stored: 0,
        status: undefined,
        fault: undefined
      }
      if (keep === 'all') requests.push(request)
      events.emit('request', request)
      return request
    },
    keepBody(request, body) {
      request.bodyBytes = body.length
      if (keep === 'all') request.body = body
    },
    put(request, accepted, key, requestId) {
      if (accepted.length === 0) return
      request.stored = accepted.length
      stats.entries += accepted.length
      const at = now()
      const items = accepted.map(item => ({ ...item, key, requestId, at, request: request.number }))
      if (keep === 'all') for (const item of items) stored.push(item)
      if (keep !== 'count') {
        for (const { entry } of items) {
          const id = idOf(entry)
          if (id !== undefined) ids.set(id, (ids.get(id) ?? 0) + 1)
        }
      }
      events.emit('stored', items)
    },
    answered(request, status) {
      request.status = status
      const name = status === undefined ? 'none' : String(status)
      stats.answers[name] = (stats.answers[name] ?? 0) + 1
      events.emit('answered', request)
    },
    fault(request, kind) {
      request.fault = kind
      stats.faults[kind] = (stats.faults[kind] ?? 0) + 1
    },
    reset() {
      stored.length = 0
      requests.length = 0
      ids.clear()
      Object.assign(stats, { requests: 0, entries: 0, answers: {}, faults: {}, connections: 0 })
    }
  }
}

const WATCHED = ['request', 'answered', 'stored'] as const

/** See `Logtrail.waitFor`. */
export function waitFor(store: Store, holds: () => boolean, timeoutMs: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const done = (outcome: () => void) => {
      clearTimeout(timer)
      for (const event of WATCHED) store.events.off(event, look)
      outcome()
    }
    const look = () => {
      try {
        if (holds()) done(resolve)
      } catch (error) {
        done(() => reject(error))
      }
    }
    const timer = setTimeout(
      () => done(() => reject(new Error(`waited ${timeoutMs} ms in vain: ${JSON.stringify(store.stats)}`))),
      timeoutMs
    )
    for (const event of WATCHED) store.events.on(event, look)
    look()
  })
}
