import closeWithGrace from 'close-with-grace'
import { mask } from '../admin/logger.js'
import { createServer, type Server, type ServerOptions } from '../app.js'
import { secretsOf } from '../config/print.js'
import { NAMES, variable } from '../config/schema.js'
import { type Config, loadConfig } from '../config.js'
import { OutboxUnusableError } from '../outbox/outbox.js'
import { EXIT, type Io } from './io.js'
import { createPrettyLog } from './pretty-log.js'

/** Past SHUTDOWN_TIMEOUT, which `close` keeps by itself: for a close that hangs. */
const HANGING_MS = 5000

/**
 * Runs the proxy until a signal ends it. Resolves with an exit status where it did not start, else with undefined.
 * @throws ConfigError
 */
export async function serve(
  io: Io,
  create: (config: Config, options: ServerOptions) => Server = createServer
): Promise<number | undefined> {
  const config = loadConfig(io)
  forgetSecrets(io.env)
  const pretty = io.terminal && config.nodeEnv !== 'production' ? createPrettyLog() : undefined
  const server = create(config, pretty ? { logDestination: pretty } : {})
  // before the start, which takes seconds where Redis is away or the queue is large
  const { uninstall } = endWithGrace(server, config.SHUTDOWN_TIMEOUT)
  for (const warning of config.warnings) server.log.warn(warning)
  try {
    await server.start()
  } catch (error) {
    // of a signal: whoever took it ends the process
    if ((error as Error).name === 'AbortError') return undefined
    // it would take the end of this process for one that was asked for, and make its status 0
    uninstall()
    const { message, status } = explain(error as NodeJS.ErrnoException, config)
    io.err(`${mask(message, secretsOf(config))}\n`)
    return status
  }
  return undefined
}

/**
 * They are read, and what is left of them in the environment would only leak: a diagnostic report of Node.js
 * (`--report-on-fatalerror` and its like) shows all of it, and is made to be attached to issues.
 */
function forgetSecrets(env: Io['env']): void {
  for (const name of NAMES) if (variable(name).secret) delete env[name]
}

/**
 * The first signal closes, then the process ends with 0; a second one, of any kind, ends it at once with 1. An error that
 * nobody caught closes too and ends with 1: what state it left behind nobody knows.
 */
function endWithGrace({ log, close }: Server, timeoutMs: number): ReturnType<typeof closeWithGrace> {
  return closeWithGrace(
    {
      delay: timeoutMs + HANGING_MS,
      logger: { error: err => log.fatal({ err }, 'closing failed') },
      onSecondSignal: signal => log.warn({ signal }, 'a second signal: ending at once'),
      onSecondError: err => log.fatal({ err }, 'an error while closing: ending at once'),
      onTimeout: () => log.fatal('closing hangs: ending at once')
    },
    async ({ signal, err }) => {
      if (err) log.fatal({ err }, 'an error that nobody caught: closing')
      else log.info({ signal }, 'closing')
      await close()
      log.info('closed')
    }
  )
}

/** What Node.js says of an address that it cannot listen on. */
interface ListenFault {
  address?: string
  port?: number
  hostname?: string
}

/** A start that failed: in words where the configuration is why. */
function explain(error: NodeJS.ErrnoException & ListenFault, config: Config) {
  const { code = '', address, port, hostname } = error
  if (error instanceof OutboxUnusableError) return { message: error.message, status: EXIT.CONFIG }
  const { HOST, PORT, ADMIN_HOST, ADMIN_PORT } = config
  const admin = (port === ADMIN_PORT && port !== PORT) || (hostname === ADMIN_HOST && hostname !== HOST)
  const listener = admin ? 'ADMIN_HOST and ADMIN_PORT' : 'HOST and PORT'
  const where = `${listener} (${address ?? HOST} ${port ?? PORT})`
  if (code === 'EADDRINUSE')
    return { message: `${where} must be free: another program listens there already`, status: EXIT.CONFIG }
  if (code === 'EACCES' && error.syscall === 'listen') {
    return { message: `${where} must be a port this user may listen on: take one above 1023`, status: EXIT.CONFIG }
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return { message: `${listener} must name an address of this machine: ${error.message}`, status: EXIT.CONFIG }
  }
  return { message: `The start failed: ${error.stack}`, status: EXIT.FAULT }
}
