import type { EventEmitter } from 'node:events'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { createControl } from './control.js'
import { createFastListener } from './fast.js'
import { createFaultPlan, type Fault } from './faults.js'
import type { Logtrail, LogtrailOptions } from './interface.js'
import { makeKey } from './keys.js'
import { faultyAnswer, misbehave, stores } from './misbehave.js'
import { LIMITS } from './plans.js'
import { createStore, defaultId, type Recorded, waitFor } from './store.js'
import { type Answer, createWorkspace, isAnswer } from './workspace.js'

export type { Entry } from './entries.js'
export { EVERY_FAULT, type Fault, type FaultMix } from './faults.js'
export type { Logtrail, LogtrailOptions } from './interface.js'
export { fingerprint, makeKey } from './keys.js'
export { LIMITS, type Limits, type Plan } from './plans.js'
export type { Recorded, Stats, Stored } from './store.js'

const BASE = '/api/v1/workspace'

/** Starts a stand-in for Logtrail on loopback. */
export async function startLogtrail(options: LogtrailOptions = {}): Promise<Logtrail> {
  const now = options.now ?? Date.now
  const keys = options.keys ?? [makeKey()]
  const store = createStore(options.keep ?? 'all', options.idOf ?? defaultId, now)
  const faults = createFaultPlan(options.faults, options.faultMix)
  /** The raw connections, by the client's port: Node cannot reset a TLS socket, only the one below it. */
  const sockets = new Map<number, Socket>()
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
      tellWhich: options.tellWhich ?? true,
      naming: options.naming
    },
    () => store.stored.map(item => item.entry)
  )

  /** RST instead of FIN: what a client sees of a process that died. */
  function reset(req: IncomingMessage): void {
    sockets.get(req.socket.remotePort!)?.resetAndDestroy()
  }

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
    misbehave(fault, req, res, good, reset, later)
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
    const port = socket.remotePort!
    sockets.set(port, socket)
    if (deaf) socket.pause()
    socket.on('error', () => {})
    socket.on('close', () => sockets.delete(port))
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
      for (const socket of sockets.values()) socket.resetAndDestroy()
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
      for (const socket of sockets.values()) is ? socket.pause() : socket.resume()
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
