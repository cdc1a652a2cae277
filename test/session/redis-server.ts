import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** False, with the reason, or the version of the redis-server this machine has. */
export const redisMissing = spawnSync('redis-server', ['--version']).status === 0 ? false : 'needs redis-server'

export interface RedisServer {
  /** Where it listens: a socket file, so that no port can be taken by somebody else in between. */
  path: string
  pause(): void
  resume(): void
  kill(): Promise<void>
  stop(): Promise<void>
}

/** A Redis of the test's own, empty, keeping nothing. */
export async function startRedis(): Promise<RedisServer> {
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  const path = join(folder, 'redis.sock')
  const options = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', folder]
  const server: ChildProcess = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
  const exited = once(server, 'exit')
  const killed = () => void server.kill('SIGKILL')
  process.on('exit', killed)
  let said = ''
  const ready = () => /ready to accept connections/i.test(said)
  for await (const chunk of server.stdout!) {
    said += chunk
    if (ready()) break
  }
  if (!ready()) throw new Error(`redis-server ended instead of serving:\n${said}`)
  const kill = async () => {
    server.kill('SIGKILL')
    await exited
  }
  return {
    path,
    pause: () => void server.kill('SIGSTOP'),
    resume: () => void server.kill('SIGCONT'),
    kill,
    async stop() {
      await kill()
      process.off('exit', killed)
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
