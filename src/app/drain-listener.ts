import { setTimeout } from 'node:timers/promises'
import type { Delivery } from '../delivery/delivery.js'
import type { PublicListener } from '../public.js'

/** After the time to drain, for answering 503 to whoever still waits. */
export const LAST_WORDS_MS = 500
/** How often a body that is still on its way is looked for at the end. */
const LOOK_MS = 20

/**
 * Finishes what is in flight within `timeoutMs`, then answers 503 to whoever still waits, within {@link LAST_WORDS_MS}, and
 * closes the listener. It must refuse new work already.
 */
export async function drainListener(
  { app, drain, isReading, giveUp }: PublicListener,
  delivery: Delivery | undefined,
  timeoutMs: number
): Promise<void> {
  const end = performance.now() + timeoutMs
  const left = () => Math.max(0, end - performance.now())
  // delivery that is ending takes nothing more: first comes what was on its way when the signal came
  while (isReading() && left() > 0) await setTimeout(LOOK_MS)
  const stopped = Promise.resolve(delivery?.stop(left()))
  await Promise.allSettled([drain.idle(left()), stopped])
  giveUp()
  app.server.closeIdleConnections()
  await drain.idle(LAST_WORDS_MS)
  app.server.closeAllConnections()
  await app.close()
  // told now: whoever waited has been answered
  await stopped
}
