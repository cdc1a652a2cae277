import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
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

/**
 * @param config further settings, for example `{ appendonly: 'yes' }`
 * @param tls key and certificate in PEM, for `localhost`: then it speaks TLS alone
 * @returns undefined where redis-server is missing
 */
export async function startRedis(
  config: Record<string, string> = {},
  tls?: { key: string; cert: string }
): Promise<RedisServer | undefined> {
  if (spawnSync('redis-server', ['--version']).status !== 0) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'redis-'))
  const port = await freePort()
  const listens =
    tls === undefined ? { port: String(port) } : { port: '0', 'tls-port': String(port), ...files(folder, tls) }
  const settings = { bind: '127.0.0.1', ...listens, dir: folder, save: '', appendonly: 'no', ...config }
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
    url: tls === undefined ? `redis://127.0.0.1:${port}` : `rediss://localhost:${port}`,
    port,
    async start() {
      const options = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, value])
      server = spawn('redis-server', options, { stdio: ['ignore', 'pipe', 'ignore'] })
      let said = ''
      for await (const chunk of server.stdout!) {
        said += chunk
        if (/ready to accept connections/i.test(said)) return
      }
      throw new Error(`redis-server ended instead of serving:\n${said}`)
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

function files(folder: string, { key, cert }: { key: string; cert: string }): Record<string, string> {
  const paths = { 'tls-key-file': join(folder, 'key.pem'), 'tls-cert-file': join(folder, 'cert.pem') }
  writeFileSync(paths['tls-key-file'], key, { mode: 0o600 })
  writeFileSync(paths['tls-cert-file'], cert)
  return { ...paths, 'tls-ca-cert-file': paths['tls-cert-file'], 'tls-auth-clients': 'no' }
}
