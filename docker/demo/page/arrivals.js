/** What reached Logtrail, as the stand-in tells it through the app's server: [{entry, key, requestId, at, …}] at a time. */
export function onArrivals({ stored, total }) {
  const events = new EventSource('/arrivals')
  events.addEventListener('stored', event => stored(JSON.parse(event.data)))
  events.addEventListener('stats', event => total(JSON.parse(event.data).entries))
}
