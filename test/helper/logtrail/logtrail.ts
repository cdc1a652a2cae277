import type { EventEmitter } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createControl } from './control.js'
import type { Entry } from './entries.js'
import { createFastListener } from './fast.js'
import { createFaultPlan, type Fault, type FaultMix, type FaultPlan } from './faults.js'
import { makeKey } from './keys.js'
import { faultyAnswer, misbehave, reset, stores } from './misbehave.js'
import { LIMITS, type Limits, type Plan } from './plans.js'
import {
  createStore,
  defaultId,
  type Keep,
  type Recorded,
  type Stats,
  type Store,
  type Stored,
  type StoreEvents
} from './store.js'
import { type Answer, createWorkspace, isAnswer, type WorkspaceOptions, type WorkspaceSwitches } from './workspace.js'

export type { Entry } from './entries.js'
export { EVERY_FAULT, type Fault, type FaultMix } from './faults.js'
export { fingerprint, makeKey } from './keys.js'
export { LIMITS, type Limits, type Plan } from './plans.js'
export type { Recorded, Stats, Stored } from './store.js'

export interface LogtrailOptions {
  /** Default 0: any free one. Always on 127.0.0.1. */
  port?: number
  /** PEM: https instead of http. */
  tls?: { key: string; cert: string }
  /** Default: one fresh development wo key, to be read from `key`. */
  keys?: string[]
  /** Default professional. */
  plan?: Plan
  limits?: Partial<Limits>
  /** Milliseconds; for the rate limit, the month, and the times of what is recorded. Default Date.now. */
  now?: () => number
  /** Default true. */
  enforceRate?: boolean
  errorForm?: WorkspaceOptions['errorForm']
  /** Default QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED; the other spelling is monthly_log_limit_exceeded. */
  quotaCode?: string
  /** Seconds told with a spent quota; default: no Retry-After. */
  quotaRetryAfter?: number
  answer?: WorkspaceOptions['answer']
  refuse?: WorkspaceOptions['refuse']
  tellWhich?: boolean
  /** Between taking a request and answering it. */
  latencyMs?: number
  faults?: readonly (Fault | null)[]
  faultMix?: FaultMix
  keep?: Keep
  /** Default: metadata.id. */
  idOf?: (entry: Entry) => string | undefined
  /** Milliseconds an idle connection is kept; default 65 s. */
  keepAliveTimeoutMs?: number
  /** For benchmarks: answer 201 to everything, check nothing, count only (see fast.ts). */
  fast?: boolean
}

export interface Logtrail {
  /** The base address, ending in /api/v1/workspace. */
  readonly url: string
  /** http(s)://127.0.0.1:port, where the live page and /_standin are. */
  readonly origin: string
  readonly port: number
  /** The first of its keys. */
  readonly key: string
  /** What was stored, oldest first. The array lives: it grows. */
  stored(): Stored[]
  /** The stored entries alone. */
  entries(): Entry[]
  /** Every request of the API, whatever became of it. */
  readonly requests: Recorded[]
  readonly ids: Map<string, number>
  readonly stats: Stats
  readonly faults: FaultPlan
  /** May be changed while it runs: limits, errorForm, refuse, … */
  readonly switches: WorkspaceSwitches
  latencyMs: number
  usedThisMonth: number
  addKey(key: string): void
  revokeKey(key: string): void
  readonly events: EventEmitter<StoreEvents>
  on<K extends keyof StoreEvents>(event: K, listener: (...args: StoreEvents[K]) => void): void
  /** Resolves once it holds: looked at now and after everything that happens. Rejects, telling the counts, in time. */
  waitFor(predicate: (logtrail: Logtrail) => boolean, timeoutMs?: number): Promise<void>
  /** Accept connections and never read from them, until told otherwise. */
  deaf(is: boolean): void
  /** Every connection reset, the port closed: connection refused. */
  down(): Promise<void>
  /** On the same port again. */
  up(): Promise<void>
  /** Forget what was stored, recorded and planned; keys, switches and token buckets stay. */
  reset(): void
  close(): Promise<void>
}

const BASE = '/api/v1/workspace'

/** Starts a stand-in for Logtrail on loopback. */
export async function startLogtrail(options: LogtrailOptions = {}): Promise<Logtrail> {
  const now = options.now ?? Date.now
  const keys = options.keys ?? [makeKey()]
  const store = createStore(options.keep ?? 'all', options.idOf ?? defaultId, now)
  const faults = createFaultPlan(options.faults, options.faultMix)
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  let latencyMs = options.latencyMs ?? 0
  let deaf = false
  const workspace = createWorkspace(
    {
      keys,
      now,
      limits: { ...LIMITS[options.plan ?? 'professional'], ...options.limits },
      enforceRate: options.enforceRate ?? true,
      errorForm: options.errorForm ?? 'reference',
      quotaCode: options.quotaCode ?? 'QUOTA_MONTHLY_LOG_LIMIT_EXCEEDED',
      quotaRetryAfter: options.quotaRetryAfter,
      answer: options.answer ?? 'json',
      refuse: options.refuse,
      tellWhich: options.tellWhich ?? true
    },
    () => store.stored.map(item => item.entry)
  )

  /** Runs `step` every so many ms while it returns true; never keeps the process. */
  function later(everyMs: number, step: () => boolean): void {
    const timer = setTimeout(() => {
      timers.delete(timer)
      if (step()) later(everyMs, step)
    }, everyMs)
    timers.add(timer)
  }

  function send(res: ServerResponse, request: Recorded, answer: Answer): void {
    const go = () => {
      if (!res.destroyed) {
        res.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) })
        res.end(answer.body)
      }
      store.answered(request, answer.status)
      return false
    }
    if (latencyMs > 0) later(latencyMs, go)
    else go()
  }

  function serve(req: IncomingMessage, res: ServerResponse): void {
    const url = req.url!
    const method = req.method!
    const request = store.begin(method, url, req.rawHeaders)
    const path = url.startsWith(BASE) ? url.split('?', 1)[0]!.slice(BASE.length) : 'elsewhere'
    const admitted = workspace.admit(method, path, req.headers)
    const refused = isAnswer(admitted)
    const fault = refused ? undefined : faults.next()
    if (fault) store.fault(request, fault.kind)
    const cutAt = (kind: Fault['kind']) => {
      if (fault?.kind !== kind) return false
      reset(req)
      store.answered(request, undefined)
      return true
    }
    if (cutAt('reset-before')) return
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => {
      if (chunks.push(chunk) === 1) cutAt('reset-within')
    })
    req.on('error', () => {})
    req.on('end', () => {
      const body = Buffer.concat(chunks)
      store.keepBody(request, body)
      if (refused) return send(res, request, admitted)
      if (cutAt('reset-within')) return
      if (fault && !stores(fault)) return spoil(req, res, request, fault, workspace.error(500, '', ''), admitted.key)
      const { answer, accepted } = workspace.handle(admitted, method, path, req.headers['content-type'], body)
      store.put(request, accepted, admitted.key, req.headers['x-request-id'] as string | undefined)
      if (fault && answer.status === 201) spoil(req, res, request, fault, answer, admitted.key)
      else send(res, request, answer)
    })
  }

  function spoil(
    req: IncomingMessage,
    res: ServerResponse,
    request: Recorded,
    fault: Fault,
    good: Answer,
    key: string
  ) {
    const answer = faultyAnswer(fault, good, key, workspace.error)
    if (answer) return send(res, request, answer)
    misbehave(fault, req, res, good, later)
    store.answered(request, fault.kind === 'drip' ? good.status : undefined)
  }

  const control = createControl(store, () => logtrail)
  const api = options.fast ? createFastListener(store.stats, () => latencyMs) : serve
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    const url = req.url!
    if (url.startsWith(BASE)) api(req, res)
    else if (!control(req, res)) serve(req, res)
  }
  const settings = { keepAliveTimeout: options.keepAliveTimeoutMs ?? 65_000, requestTimeout: 0 }
  const server = options.tls
    ? createHttpsServer({ ...settings, ...options.tls }, listener)
    : createHttpServer(settings, listener)
  // Of a TLS server this is the raw connection too: a deaf server does not even shake hands.
  server.on('connection', (socket: Socket) => {
    store.stats.connections++
    sockets.add(socket)
    if (deaf) socket.pause()
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(socket))
  })
  server.on('clientError', (_error, socket) => socket.destroy())

  const listen = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  const stop = () =>
    new Promise<void>(resolve => {
      if (!server.listening) return resolve()
      server.close(() => resolve())
      for (const socket of sockets) socket.resetAndDestroy()
    })
  await listen(options.port ?? 0)
  const { port } = server.address() as AddressInfo
  const origin = `${options.tls ? 'https' : 'http'}://127.0.0.1:${port}`

  const logtrail: Logtrail = {
    url: origin + BASE,
    origin,
    port,
    key: keys[0]!,
    stored: () => store.stored,
    entries: () => store.stored.map(item => item.entry),
    requests: store.requests,
    ids: store.ids,
    stats: store.stats,
    faults,
    switches: workspace.switches,
    get latencyMs() {
      return latencyMs
    },
    set latencyMs(ms) {
      latencyMs = ms
    },
    get usedThisMonth() {
      return workspace.usedThisMonth
    },
    set usedThisMonth(count) {
      workspace.usedThisMonth = count
    },
    addKey: workspace.addKey,
    revokeKey: workspace.revokeKey,
    events: store.events,
    on: (event, listener) => void (store.events as EventEmitter).on(event, listener),
    waitFor: (predicate, timeoutMs = 10_000) => waitFor(store, () => predicate(logtrail), timeoutMs),
    deaf(is) {
      deaf = is
      for (const socket of sockets) is ? socket.pause() : socket.resume()
    },
    down: stop,
    up: () => (server.listening ? Promise.resolve() : listen(port)),
    reset() {
      store.reset()
      faults.clear()
    },
    async close() {
      for (const timer of timers) clearTimeout(timer)
      await stop()
    }
  }
  return logtrail
}

const WATCHED = ['request', 'answered', 'stored'] as const

function waitFor(store: Store, holds: () => boolean, timeoutMs: number): Promise<void> {
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
