import type { Fields } from './logger.js'
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
export function createCapture(
  onFirst: () => void,
  drop: (entry: string, reason: 'overflow' | 'invalid') => unknown,
  give: (entry: Fields) => void
) {
  let kinds: Record<string, Fields & ReturnType<typeof asFields>> = {}
  // biome-ignore lint/suspicious/noExplicitAny: an ErrorEvent or a PromiseRejectionEvent
  const add = (event: any): void => {
    try {
      const entry = {
        ...asFields(event.reason ?? event.error ?? event.message),
        // biome-ignore lint/style/useTemplate: two bytes less in what browsers load
        action: 'window.' + event.type,
        level: 'error'
      }
      const key = JSON.stringify(entry)
      if (kinds[key]) kinds[key].metadata.count++
      else if (Object.keys(kinds)[MAX_KINDS - 1]) drop(key, 'overflow')
      else {
        kinds[key] = { ...entry, clientTimestamp: new Date() }
        onFirst()
      }
    } catch {
      drop('{}', 'invalid')
    }
  }
  addEventListener('error', add)
  addEventListener('unhandledrejection', add)
  return (): void => {
    const all = Object.values(kinds)
    kinds = {}
    all.forEach(give)
  }
}
