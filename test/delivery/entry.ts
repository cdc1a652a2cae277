/** An entry as browsers send it, with an id to look for. */
export function logEntry(id: string, more: object = {}): string {
  return JSON.stringify({
    action: 'test.entry',
    level: 'info',
    clientTimestamp: '2026-11-23T12:00:00Z',
    metadata: { id, ...more }
  })
}
