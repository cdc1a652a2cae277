/** Above 0 while the page's own code is being called: what that logs is ignored. */
export let muted = 0

/** Runs what is, or calls, code of the page's: what it throws is nobody's. */
export const quietly = <T>(run: () => T): T | undefined => {
  try {
    muted++
    return run()
  } catch {
  } finally {
    muted--
  }
}
