import type { Entry } from './logger.js'
import { plain } from './plain.js'

/** Most different errors between two flushes. */
const MAX_KINDS = 50

/** What an entry says of anything that was thrown. */
// biome-ignore lint/suspicious/noExplicitAny: anything can be thrown
export const asFields = (error: any) => ({
  message: plain(String(error?.message ?? error)) as string,
  metadata: { error: plain(error), count: 1 }
})

/** Listens to what the page does not catch. A storm of one error is one entry for each flush, with its count. */
export function createCapture(now: () => string, onFirst: () => void) {
  const kinds = new Map<string, Entry & ReturnType<typeof asFields>>()
  // biome-ignore lint/suspicious/noExplicitAny: an ErrorEvent or a PromiseRejectionEvent
  const add = (event: any): void => {
    try {
      const action = `window.${event.type}`
      const fields = asFields(event.reason ?? event.error ?? event.message)
      const key = action + JSON.stringify(fields)
      const known = kinds.get(key)
      if (known) known.metadata.count++
      else if (kinds.size < MAX_KINDS) {
        kinds.set(key, { ...fields, action, level: 'error', clientTimestamp: now() })
        onFirst()
      }
    } catch {}
  }
  addEventListener('error', add)
  addEventListener('unhandledrejection', add)
  return (): Entry[] => {
    const all = [...kinds.values()]
    kinds.clear()
    return all
  }
}
