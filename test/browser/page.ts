import type { Test } from 'tap'
import type { Entry, Logger, Options } from '../../src/browser/logger.js'
import { type StandIn, startStandIn } from './proxy-stand-in.js'

/**
 * As much of a page as the client touches, in this process, around its source and over the real network: for what a
 * Chromium cannot be brought to, and so that every line of the source is seen to run. What ships is the bundle, and the
 * other tests have it in a real Chromium.
 */
export interface Page {
  log: Logger
  createLogger(options?: Options): Logger
  /** The module itself. */
  client: { createLogger(options?: Options): Logger }
  /** `action reason status` of what was given up. */
  dropped: string[]
  storage: Record<string, string>
  /** Signed in; empty: nobody. */
  user: string
  navigator: { onLine: boolean; sendBeacon?: (url: URL, body: string) => boolean }
  /** An event of the window. */
  happens(type: string, more?: object): void
  turn(state: 'visible' | 'hidden'): void
  /** Entries that wait in storage. */
  waiting(): number
}

export interface PageOptions extends Options {
  user?: string
  /** What earlier pages left there. */
  storage?: Record<string, string>
  /** Instead of it. */
  localStorage?: PropertyDescriptor
  /** The page's own address; the stand-in's. */
  href?: string
  navigator?: Partial<Page['navigator']>
  Request?: unknown
  /** None by default, as in a frame without an origin. */
  indexedDB?: unknown
}

/** By its address: its types are of a browser, and these of Node.js. */
const CLIENT = new URL('../../src/browser/client.ts', import.meta.url).href

const { fetch, setTimeout, clearTimeout } = globalThis
let cookie = ''
/** As the browser's own: it adds the session's cookie, which a page cannot see. */
const pageFetch = (url: URL, init: RequestInit): Promise<Response> =>
  fetch(url, { ...init, headers: { ...(init.headers as Record<string, string>), ...(cookie && { cookie }) } })

const timers: NodeJS.Timeout[] = []
const close = (): void => {
  for (const timer of timers.splice(0)) clearTimeout(timer)
}

/** Closes the page before: only one page of a process is open at a time. */
async function openPage(t: Test, standIn: StandIn, options: PageOptions = {}): Promise<Page> {
  close()
  t.teardown(close)
  const window = new EventTarget()
  const document = Object.assign(new EventTarget(), { hidden: false })
  const storage = options.storage ?? {}
  const location = new URL(options.href ?? `${standIn.origin}/app`)
  const page: Omit<Page, 'log' | 'createLogger' | 'client'> = {
    dropped: [],
    storage,
    navigator: { onLine: true, ...options.navigator },
    get user() {
      return cookie.slice('session='.length)
    },
    set user(user) {
      cookie = user && `session=${user}`
    },
    happens: (type, more = {}) => void window.dispatchEvent(Object.assign(new Event(type), more)),
    turn(state) {
      document.hidden = state === 'hidden'
      document.dispatchEvent(new Event('visibilitychange'))
    },
    waiting: () =>
      Object.entries(storage).reduce(
        (sum, [key, value]) => (key.includes('|') ? sum + value.split('\n').length - 1 : sum),
        0
      )
  }
  page.user = options.user ?? 'anna'
  const globals: Record<string, unknown> = {
    document,
    location,
    origin: location.origin,
    navigator: page.navigator,
    addEventListener: window.addEventListener.bind(window),
    fetch: pageFetch,
    // Node's own fetch takes it from here, too, and gives it arguments.
    setTimeout(run: (...given: unknown[]) => void, ms: number, ...given: unknown[]) {
      const timer = setTimeout(run, ms, ...given)
      timers.push(timer)
      return timer
    },
    indexedDB: options.indexedDB,
    ...('Request' in options && { Request: options.Request })
  }
  for (const [name, value] of Object.entries(globals)) t.intercept(globalThis, name as never, { value, writable: true })
  t.intercept(globalThis, 'localStorage' as never, options.localStorage ?? { value: storage })
  const client: Page['client'] = await import(CLIENT)
  const onDrop = (entry: Entry, reason: string, { status }: { status?: number }): void => {
    page.dropped.push([entry.action, reason, status].join(' ').trim())
  }
  const { user, storage: _, localStorage, href, navigator, Request, indexedDB, ...rest } = options
  const createLogger = (more?: Options) => client.createLogger({ onDrop, ...more })
  return Object.assign(page, { client, createLogger, log: createLogger(rest) })
}

/** A stand-in, and how to open pages of it. */
export async function startBrowser(t: Test) {
  const standIn = await startStandIn()
  t.teardown(() => standIn.close())
  t.beforeEach(() => {
    standIn.requests.length = 0
    standIn.answer = () => undefined
  })
  return { standIn, open: (t: Test, options?: PageOptions) => openPage(t, standIn, options) }
}

/** Of IndexedDB one database with one store, which holds one value. */
export const claims = (held: { value?: unknown; broken?: boolean; meanwhile?: () => void }) => ({
  open() {
    const store = {
      get() {
        const asking = {
          get result() {
            return held.value
          },
          onsuccess() {}
        }
        setImmediate(() => asking.onsuccess())
        return asking
      },
      put(value: unknown) {
        held.value = structuredClone(value)
      }
    }
    const base = { createObjectStore: () => store, transaction: () => ({ objectStore: () => store }), close() {} }
    const opening = { result: base, onupgradeneeded() {}, onsuccess() {}, onerror() {} }
    setImmediate(() => {
      held.meanwhile?.()
      if (held.broken) return opening.onerror()
      if (!('value' in held)) opening.onupgradeneeded()
      opening.onsuccess()
    })
    return opening
  }
})
