/**
 * The network's own record: whatever the page sends to the proxy, by whichever client, is noted as it is handed to the
 * browser. Loaded before the client, which takes `fetch` as it finds it.
 * An exchange is {request: {method, path, headers, body, by}, answer?: {status, headers, body, ms}, failure?, left?}.
 */
const PREFIX = '/logtrail/'
const SHELF = 'demo.left'
const listeners = []
const originals = { fetch: window.fetch.bind(window), beacon: navigator.sendBeacon?.bind(navigator) }
let leaving = false

export const exchanges = []

/** `tell(exchange, 'sent' | 'answered')` */
export function onExchange(tell) {
  listeners.push(tell)
}

const tellAll = (exchange, what) => {
  for (const tell of listeners) tell(exchange, what)
}

const isOurs = address => {
  const url = new URL(address, location.href)
  return url.origin === location.origin && url.pathname.startsWith(PREFIX) && !url.pathname.endsWith('.js')
}

/** What leaves as the page goes cannot be shown any more: kept for the next visit of this tab. */
function shelve() {
  const left = exchanges.filter(({ answer, failure }) => !answer && !failure).map(({ request }) => request)
  if (left.length > 0) sessionStorage.setItem(SHELF, JSON.stringify(left))
}

function note(by, address, { method = 'GET', headers = {}, body = '', keepalive = false } = {}) {
  const request = {
    by: keepalive ? `${by}, keepalive` : by,
    method,
    path: new URL(address, location.href).pathname,
    headers: [...new Headers(headers)],
    body: String(body)
  }
  const exchange = { request }
  exchanges.push(exchange)
  if (leaving) shelve()
  else tellAll(exchange, 'sent')
  return exchange
}

async function follow(exchange, promise) {
  const began = performance.now()
  try {
    const response = await promise
    const headers = [...response.headers]
    exchange.answer = { status: response.status, headers, body: await response.clone().text() }
    exchange.answer.ms = performance.now() - began
  } catch (error) {
    exchange.failure = error.message
  }
  tellAll(exchange, 'answered')
}

// Both hand the request on at once: as a page goes, a promise later is too late.
window.fetch = (input, init) => {
  const promise = originals.fetch(input, init)
  if (!(input instanceof Request) && isOurs(input)) void follow(note('fetch', input, init), promise)
  return promise
}
if (originals.beacon) {
  navigator.sendBeacon = (address, body) => {
    const taken = originals.beacon(address, body)
    if (taken && isOurs(address)) note('sendBeacon', address, { method: 'POST', body, keepalive: true })
    return taken
  }
}

addEventListener('pagehide', () => {
  leaving = true
  shelve()
})
// A page that comes back out of the browser's memory would wait for answers that were given to nobody.
addEventListener('pageshow', ({ persisted }) => persisted && location.reload())

/** What left with the page the last time, as exchanges without an answer. Each is told once. */
export function takeLeft() {
  const left = JSON.parse(sessionStorage.getItem(SHELF) ?? '[]').map(request => ({ request, left: true }))
  sessionStorage.removeItem(SHELF)
  exchanges.push(...left)
  return left
}
