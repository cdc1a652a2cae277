/** Resolves once something holds that nobody tells of; rejects where it never does. */
export async function until(holds: () => boolean | Promise<boolean>, ms = 30_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`did not come to hold in ${ms} ms: ${holds}`)
    await new Promise(resolve => setTimeout(resolve, 20))
  }
}
