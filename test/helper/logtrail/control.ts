import { createReadStream } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { fileURLToPath } from 'node:url'
import type { Fault, FaultMix } from './faults.js'
import type { Logtrail } from './interface.js'
import { fingerprint } from './keys.js'
import type { Limits } from './plans.js'
import type { Store, Stored } from './store.js'

const PAGE: Record<string, [string, string]> = {
  '/': ['page.html', 'text/html; charset=utf-8'],
  '/_standin/page.css': ['page.css', 'text/css; charset=utf-8'],
  '/_standin/page.js': ['page.js', 'text/javascript; charset=utf-8'],
  '/_standin/icon.svg': ['icon.svg', 'image/svg+xml']
}

/** What the page and other processes are told of a stored entry: of the key only a fingerprint. */
export function shown({ entry, raw, key, requestId, at, request, index }: Stored) {
  return { entry, bytes: Buffer.byteLength(raw), key: fingerprint(key), requestId, at, request, index }
}

interface Command {
  faults?: (Fault | null)[]
  always?: Fault | null
  mix?: FaultMix | null
  revoke?: string
  add?: string
  latencyMs?: number
  usedThisMonth?: number
  limits?: Partial<Limits>
  enforceRate?: boolean
  /** Entries of these actions are refused from now on. */
  refuseActions?: string[]
  reset?: boolean
}

function obey(logtrail: Logtrail, command: Command): void {
  if (command.reset) logtrail.reset()
  if (command.faults) logtrail.faults.push(...command.faults)
  if (command.always !== undefined) logtrail.faults.always(command.always ?? undefined)
  if (command.mix !== undefined) logtrail.faults.mix(command.mix ?? undefined)
  if (command.revoke) logtrail.revokeKey(command.revoke)
  if (command.add) logtrail.addKey(command.add)
  if (command.latencyMs !== undefined) logtrail.latencyMs = command.latencyMs
  if (command.usedThisMonth !== undefined) logtrail.usedThisMonth = command.usedThisMonth
  if (command.limits) Object.assign(logtrail.switches.limits, command.limits)
  if (command.enforceRate !== undefined) logtrail.switches.enforceRate = command.enforceRate
  if (command.refuseActions) {
    const refused = new Set<unknown>(command.refuseActions)
    logtrail.switches.refuse = entry =>
      refused.has(entry.action) ? { field: 'action', message: 'is refused by plan' } : undefined
  }
}

/**
 * Under `/_standin/`, for other processes: GET stats, stored[?after=n], requests[?after=n], ids, events (server-sent),
 * POST control (a Command). And `GET /`, the live page. Returns whether it took the request.
 */
export function createControl(
  store: Store,
  get: () => Logtrail
): (req: IncomingMessage, res: ServerResponse) => boolean {
  const json = (res: ServerResponse, body: unknown, status = 200) => {
    res.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
    res.end(JSON.stringify(body))
  }

  function events(req: IncomingMessage, res: ServerResponse): void {
    res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' })
    const say = (event: string, data: unknown) => res.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
    const onStored = (items: Stored[]) => say('stored', items.map(shown))
    const onAnswered = () => say('stats', store.stats)
    say('stats', store.stats)
    say('stored', store.stored.slice(-50).map(shown))
    store.events.on('stored', onStored)
    store.events.on('answered', onAnswered)
    req.on('close', () => {
      store.events.off('stored', onStored)
      store.events.off('answered', onAnswered)
    })
  }

  function command(req: IncomingMessage, res: ServerResponse): void {
    let text = ''
    req.setEncoding('utf8')
    req.on('data', (chunk: string) => {
      text += chunk
    })
    req.on('end', () => {
      try {
        obey(get(), JSON.parse(text))
        json(res, { ok: true })
      } catch (error) {
        json(res, { error: (error as Error).message }, 400)
      }
    })
  }

  function page(res: ServerResponse, [file, type]: [string, string]): void {
    res.writeHead(200, {
      'content-type': type,
      'cache-control': 'no-cache',
      'content-security-policy': "default-src 'self'; frame-ancestors 'self'",
      'x-content-type-options': 'nosniff'
    })
    createReadStream(fileURLToPath(new URL(`./page/${file}`, import.meta.url))).pipe(res)
  }

  return (req, res) => {
    const [pathname = '', query] = req.url!.split('?')
    const after = Number(new URLSearchParams(query).get('after') ?? 0)
    const route = `${req.method} ${pathname}`
    const file = req.method === 'GET' ? PAGE[pathname] : undefined
    if (file) page(res, file)
    else if (route === 'GET /_standin/stats') json(res, store.stats)
    else if (route === 'GET /_standin/stored') json(res, store.stored.slice(after).map(shown))
    else if (route === 'GET /_standin/ids') json(res, [...store.ids])
    else if (route === 'GET /_standin/events') events(req, res)
    else if (route === 'POST /_standin/control') command(req, res)
    else if (route === 'GET /_standin/requests') {
      const tell = store.requests.slice(after).map(({ body, ...request }) => ({ ...request, body: body?.toString() }))
      // Whoever asks this way is shown the page's view of the key as well: the wire's own is for tests in this process.
      json(res, JSON.parse(hideKeys(JSON.stringify(tell))))
    } else return false
    return true
  }
}

/** Every Logtrail key in a text replaced by its fingerprint. */
function hideKeys(text: string): string {
  return text.replace(/lt_(?:development|staging|production)_(?:wo|ro|rw)_[\w-]+/g, key => `[key ${fingerprint(key)}]`)
}
