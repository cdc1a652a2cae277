import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'

/** Listens on loopback: at the wanted port, or at any free one where that is taken. Resolves with the port. */
export async function listen(server: Server, wanted: number): Promise<number> {
  const attempt = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject)
        resolve()
      })
    })
  try {
    await attempt(wanted)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    await attempt(0)
  }
  return (server.address() as AddressInfo).port
}

/** A port that was free a moment ago: for a process that must be told its port. */
export async function freePort(wanted: number): Promise<number> {
  const server = createServer()
  const port = await listen(server, wanted)
  server.close()
  await once(server, 'close')
  return port
}
