import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net'
import type { Test } from 'tap'
import { createLogtrailClient, type LogtrailClientOptions } from '../../src/logtrail/client.js'
import { createKeyring } from '../../src/logtrail/keyring.js'
import { CERTIFICATE, PRIVATE_KEY } from './certificate.js'

export const RANDOM_A = 'Zk3q9XbT7vPmW2aa'
export const RANDOM_B = 'Yj4r8WcU6wQnV3bb'
export const KEY_A = `lt_staging_wo_${RANDOM_A}`
export const KEY_B = `lt_staging_wo_${RANDOM_B}`

export interface Received {
  method: string
  url: string
  rawHeaders: string[]
  key: string
  body: string
}

export interface Upstream {
  port: number
  /** Base address, with a path as Logtrail has one. */
  url: string
  received: Received[]
  server: Server | NetServer
}

const PREFIX = '/api/v1/workspace'

/** A server on loopback that reads each request whole before `answer` says anything. */
export async function startUpstream(
  t: Test,
  answer: (response: ServerResponse, request: Received, count: number) => void,
  { tls = false } = {}
): Promise<Upstream> {
  const received: Received[] = []
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const one = {
      method: request.method ?? '',
      url: request.url ?? '',
      rawHeaders: request.rawHeaders,
      key: String(request.headers['x-api-key']),
      body: Buffer.concat(chunks).toString()
    }
    received.push(one)
    answer(response, one, received.length)
  }
  const server = tls ? createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY }, listener) : createServer(listener)
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
  })
  const port = await listen(server)
  return { port, url: `${tls ? 'https://localhost' : 'http://127.0.0.1'}:${port}${PREFIX}`, received, server }
}

/** A server that answers with bytes: `onRequest` is called once a whole request is there. */
export async function startRaw(t: Test, onRequest: (socket: Socket, request: string) => void): Promise<Upstream> {
  const sockets = new Set<Socket>()
  const server = createNetServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {}).on('close', () => sockets.delete(socket))
    let text = ''
    socket.on('data', chunk => {
      text += chunk
      const head = text.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0)
      if (text.length < head + 4 + length) return
      const request = text
      text = ''
      onRequest(socket, request)
    })
  })
  t.teardown(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const port = await listen(server)
  return { port, url: `http://127.0.0.1:${port}${PREFIX}`, received: [], server }
}

/** A client of it, closed at the test's end, with one key unless told otherwise. */
export function connect(
  t: Test,
  upstream: Pick<Upstream, 'url'>,
  { keys = [KEY_A], ...options }: Partial<LogtrailClientOptions> & { keys?: string[] } = {}
) {
  const keyring = createKeyring(keys)
  const requests: (number | 'error')[] = []
  const client = createLogtrailClient({
    baseUrl: upstream.url,
    keyring,
    timeoutMs: 5000,
    connections: 8,
    userAgent: 'logtrail-bff/test',
    onRequest: status => requests.push(status),
    ...options
  })
  t.teardown(() => client.close())
  return { client, keyring, requests }
}

export async function listen(server: Server | NetServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
