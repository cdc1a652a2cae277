import { type IncomingMessage, type OutgoingHttpHeaders, request, type ServerResponse } from 'node:http'
import { pipeline } from 'node:stream'

const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade'
])

/**
 * What a reverse proxy in front does (nginx, Caddy, a Vite dev server): hands the request on unchanged and says whom it
 * came from. It replaces what the browser may have claimed in the forwarding headers, it does not add to it.
 */
export function forward(req: IncomingMessage, res: ServerResponse, port: number): void {
  const named = new Set((req.headers.connection ?? '').split(',').map(name => name.trim().toLowerCase()))
  const headers: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(req.headers)) {
    if (!HOP_BY_HOP.has(name) && !named.has(name)) headers[name] = value
  }
  headers['x-forwarded-for'] = req.socket.remoteAddress ?? ''
  headers['x-forwarded-host'] = req.headers.host ?? ''
  headers['x-forwarded-proto'] = 'http'
  const onward = request({ host: '127.0.0.1', port, method: req.method, path: req.url, headers }, answer => {
    const back: OutgoingHttpHeaders = {}
    for (const [name, value] of Object.entries(answer.headers)) if (!HOP_BY_HOP.has(name)) back[name] = value
    res.writeHead(answer.statusCode!, back)
    pipeline(answer, res, () => {})
  })
  onward.on('error', () => {
    if (res.headersSent) return void res.destroy()
    res.writeHead(502, { 'content-type': 'text/plain; charset=utf-8' })
    res.end('The proxy behind this address does not answer.')
  })
  res.on('close', () => onward.destroy())
  pipeline(req, onward, () => {})
}
