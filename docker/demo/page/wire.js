/**
 * The network's own record: whatever the page sends to the proxy, by whichever client, is seen here as fetch saw it.
 * An exchange is {request: {method, path, headers, body}, answer?: {status, headers, body, ms}, failure?}.
 */
const PREFIX = '/logtrail/'
const listeners = []
const original = window.fetch.bind(window)

export const exchanges = []

/** `tell(exchange, 'sent' | 'answered')` */
export function onExchange(tell) {
  listeners.push(tell)
}

async function record(input, init) {
  const request = new Request(input, init)
  const url = new URL(request.url)
  const exchange = {
    request: {
      method: request.method,
      path: url.pathname,
      headers: [...request.headers],
      body: await request.clone().text()
    }
  }
  exchanges.push(exchange)
  for (const tell of listeners) tell(exchange, 'sent')
  const began = performance.now()
  try {
    const response = await original(request)
    exchange.answer = {
      status: response.status,
      headers: [...response.headers],
      body: await response.clone().text(),
      ms: performance.now() - began
    }
    return response
  } catch (error) {
    exchange.failure = error.message
    throw error
  } finally {
    for (const tell of listeners) tell(exchange, 'answered')
  }
}

window.fetch = (input, init) => {
  const url = new URL(input instanceof Request ? input.url : input, location.href)
  const ours = url.origin === location.origin && url.pathname.startsWith(PREFIX) && !url.pathname.endsWith('.js')
  return ours ? record(input, init) : original(input, init)
}
