import './wire.js'
import { createLogger } from '/logtrail/client.js'

/**
 * How this page logs: by the client that the proxy serves. A short interval, so that one sees at once what a button does.
 * `given` is told what the client gives up.
 */
const given = []
export const onDrop = tell => given.push(tell)
const client = createLogger({
  captureErrors: true,
  flushInterval: 250,
  onDrop: (entry, reason) => {
    for (const tell of given) tell(entry, reason)
  }
})
let number = 0

/** An id of its own in each entry's metadata, by which the page knows its entries again when they reach Logtrail. */
const withId = metadata => ({ ...metadata, id: `${Date.now().toString(36)}-${++number}` })

export const log = (level, action, fields = {}) =>
  client[level](action, { ...fields, metadata: withId(fields.metadata) })
/** Before the session changes: what was logged under it leaves under it. */
export const flush = () => client.flush()

/** Past the client, as a page would that writes its own requests, and has its mistakes. */
export const sendRaw = entries =>
  fetch('/logtrail/logs/bulk', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(
      entries.map(entry => ({
        clientTimestamp: new Date().toISOString(),
        ...entry,
        metadata: withId(entry.metadata)
      }))
    )
  }).catch(() => {})

/** Not logging at all: what somebody would try who found the address. */
export const tryToRead = () => fetch('/logtrail/logs').catch(() => {})
