import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Stats } from './store.js'

const MARK = Buffer.from('"clientTimestamp"')
const BODY = Buffer.from('{"accepted":true}')
const HEADERS = ['Content-Type', 'application/json', 'Content-Length', String(BODY.length)]

/**
 * The upstream of benchmarks: whatever is posted is answered 201, so that the machine's time goes to what is measured.
 * Entries are counted by the one field that each must have; nothing is checked or kept but a missing key (401).
 */
export function createFastListener(stats: Stats, latencyMs: () => number) {
  return (req: IncomingMessage, res: ServerResponse): void => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => void chunks.push(chunk))
    req.on('end', () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)
      const status = req.headers['x-api-key'] === undefined ? 401 : 201
      stats.requests++
      stats.answers[status] = (stats.answers[status] ?? 0) + 1
      if (status === 201) for (let at = body.indexOf(MARK); at >= 0; at = body.indexOf(MARK, at + 17)) stats.entries++
      const answer = () => {
        res.writeHead(status, HEADERS)
        res.end(BODY)
      }
      const wait = latencyMs()
      if (wait > 0) setTimeout(answer, wait)
      else answer()
    })
  }
}
