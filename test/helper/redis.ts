import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './free-port.js'

/** A real Redis on a loopback port of its own; it may be paused, killed and brought back with what it had on disk. */
export interface RedisServer {
  url: string
  port: number
  start(): Promise<void>
  /** SIGSTOP: connections stay, nothing is answered. */
  pause(): void
  resume(): void
  /** SIGKILL */
  kill(): Promise<void>
  stop(): Promise<void>
}

/** @param config further settings, for example `{ appendonly: 'yes' }`. @returns undefined where redis-server is missing */
export async function startRedis(config: Record<string, string> = {}): Promise<RedisServer | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  const port = await freePort()
  const settings = { bind: '127.0.0.1', port: String(port), dir: folder, save: '', appendonly: 'no', ...config }
  let server: ChildProcess | undefined
  const reap = () => void server?.kill('SIGKILL')
  process.on('exit', reap)

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const running = server
    server = undefined
    if (running === undefined || running.exitCode !== null) return
    running.kill('SIGCONT')
    running.kill(signal)
    await once(running, 'exit')
  }
  const redis: RedisServer = {
    url: `redis://127.0.0.1:${port}`,
    port,
    async start() {
      const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
      server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
      for await (const chunk of server.stdout!) if (/ready to accept connections/i.test(String(chunk))) break
    },
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    kill: () => end('SIGKILL'),
    async stop() {
      await end('SIGTERM')
      process.off('exit', reap)
    }
  }
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  await redis.start()
  return redis
}
