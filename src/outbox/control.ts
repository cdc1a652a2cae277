import { once } from 'node:events'
import { chmod, mkdtemp, open, rm, symlink } from 'node:fs/promises'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve as resolvePath } from 'node:path'
import type { DeadLetters, EntryId, ListOptions } from './outbox.js'

/**
 * LevelDB lets one process in, so beside a running serve the command line asks that process: over a Unix domain socket in
 * the queue's folder, one JSON text a line. Whoever may open the socket (mode 0600) may read the folder as well.
 *
 *   -> {"call": "list" | "retry" | "purge", "argument": …}
 *   <- {"result": …} or {"error": "…"}
 */
const NAME = 'control.sock'

/** Bytes of a path that every system takes as a socket's address; Linux takes 107, macOS 103. */
const LONGEST_ADDRESS = 100

/** A longer line is no call: 'retry' with a hundred thousand ids is some 800 KiB. */
const LONGEST_LINE = 4 * 1024 * 1024

export interface Control {
  close(): Promise<void>
}

/** To be called by the process that holds the store: a socket that lies there is left over from a crash. */
export async function serveDeadLetters(path: string, deadLetters: DeadLetters): Promise<Control> {
  const address = await addressIn(path)
  const connections = new Set<Socket>()
  const server = createServer(connection => {
    connections.add(connection)
    connection.on('close', () => connections.delete(connection))
    connection.on('error', () => connection.destroy())
    eachLine(connection, LONGEST_LINE, line => {
      void answer(line, deadLetters).then(text => connection.write(`${text}\n`))
    })
  })
  try {
    await rm(address.path, { force: true })
    server.listen(address.path)
    await once(server, 'listening')
    await chmod(address.path, 0o600)
  } catch (error) {
    await address.close()
    throw error
  }
  // A process that has nothing else to do may end.
  server.unref()
  return {
    async close() {
      for (const connection of connections) connection.destroy()
      await new Promise(resolve => server.close(resolve))
      await address.close()
    }
  }
}

/** The dead letters of the process that serves them at the path; undefined where there is none. */
export async function reachDeadLetters(path: string): Promise<(DeadLetters & Control) | undefined> {
  const address = await addressIn(path)
  const connection = createConnection(address.path)
  try {
    await once(connection, 'connect')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ECONNREFUSED') return undefined
    throw error
  } finally {
    await address.close()
  }

  const waiting: { resolve: (value: unknown) => void; reject: (error: Error) => void }[] = []
  eachLine(connection, Infinity, line => {
    const { error, result } = JSON.parse(line)
    const { resolve, reject } = waiting.shift() as (typeof waiting)[0]
    if (error === undefined) resolve(result)
    else reject(new Error(error))
  })
  connection.on('error', () => connection.destroy())
  const gone = () => new Error('the process that holds the queue went away')
  connection.on('close', () => {
    for (const call of waiting.splice(0)) call.reject(gone())
  })
  const call = (name: string, argument: unknown) =>
    new Promise<unknown>((resolve, reject) => {
      if (connection.closed) {
        reject(gone())
        return
      }
      waiting.push({ resolve, reject })
      connection.write(`${JSON.stringify({ call: name, argument })}\n`)
    })
  return {
    list: options => call('list', options) as ReturnType<DeadLetters['list']>,
    retry: ids => call('retry', ids) as Promise<number>,
    purge: ids => call('purge', ids) as Promise<number>,
    async close() {
      connection.destroy()
    }
  }
}

async function answer(line: string, deadLetters: DeadLetters): Promise<string> {
  try {
    const { call, argument } = JSON.parse(line) as { call: string; argument: never }
    if (call === 'list') return JSON.stringify({ result: await deadLetters.list(argument as ListOptions) })
    if (call === 'retry') return JSON.stringify({ result: await deadLetters.retry(argument as EntryId[] | 'all') })
    if (call === 'purge') return JSON.stringify({ result: await deadLetters.purge(argument as EntryId[] | 'all') })
    return JSON.stringify({ error: `there is no call ${JSON.stringify(call)}` })
  } catch (error) {
    return JSON.stringify({ error: (error as Error).message })
  }
}

function eachLine(connection: Socket, longest: number, take: (line: string) => void): void {
  let begun: string[] = []
  let length = 0
  connection.setEncoding('utf8')
  connection.on('data', (text: string) => {
    const lines = text.split('\n')
    for (const end of lines.slice(0, -1)) {
      take(begun.join('') + end)
      begun = []
      length = 0
    }
    begun.push(lines.at(-1) as string)
    length += (lines.at(-1) as string).length
    if (length > longest) connection.destroy()
  })
}

/** The socket's path, or a shorter one that leads there: a folder may lie too deep for an address. */
export async function addressIn(
  path: string,
  links = process.platform !== 'linux'
): Promise<Control & { path: string }> {
  const direct = join(path, NAME)
  if (Buffer.byteLength(direct) <= LONGEST_ADDRESS) return { path: direct, async close() {} }
  if (links) {
    const folder = await mkdtemp(join(tmpdir(), 'queue-'))
    await symlink(resolvePath(path), join(folder, 'q'))
    return { path: join(folder, 'q', NAME), close: () => rm(folder, { recursive: true }) }
  }
  const folder = await open(path, 'r')
  return { path: join('/proc/self/fd', String(folder.fd), NAME), close: () => folder.close() }
}
