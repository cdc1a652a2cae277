/**
 * How this page logs. The seam: everything else on the page only calls `log` and `logMany`, and what is shown is what
 * the network saw (wire.js), so another client can take this one's place.
 */
const BASE = '/logtrail'
let number = 0

/** An id of its own in each entry's metadata, by which the page knows its entries again when they reach Logtrail. */
function complete(entry) {
  const id = `${Date.now().toString(36)}-${++number}`
  return { clientTimestamp: new Date().toISOString(), ...entry, metadata: { ...entry.metadata, id } }
}

async function post(path, body) {
  try {
    await fetch(BASE + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body)
    })
  } catch {
    // A log that cannot be sent must not disturb the page; wire.js has noted it.
  }
}

export const log = entry => post('/logs', complete(entry))
export const logMany = entries => post('/logs/bulk', entries.map(complete))

/** Not logging at all: what somebody would try who found the address. */
export async function tryToRead() {
  try {
    await fetch(`${BASE}/logs`)
  } catch {}
}
