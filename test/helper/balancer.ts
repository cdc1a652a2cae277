import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

interface Teardown {
  teardown(handler: () => Promise<void> | void): void
}

/** One address before several: each new connection goes to the next of them. @returns the address */
export async function startBalancer(t: Teardown, urls: readonly string[]): Promise<string> {
  const sockets = new Set<Socket>()
  let turn = 0
  const server = createServer(client => {
    const { hostname, port } = new URL(urls[turn++ % urls.length] as string)
    const backend = connect(Number(port), hostname)
    for (const [one, other] of [
      [client, backend],
      [backend, client]
    ] as const) {
      sockets.add(one)
      one.on('error', () => {})
      one.on('close', () => {
        sockets.delete(one)
        other.destroy()
      })
      one.pipe(other)
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
