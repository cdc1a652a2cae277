import { createLogger } from '../../src/admin/logger.js'
import { serve } from '../../src/commands/serve.js'

/**
 * `serve` around a server that does as it is told, for what a process cannot be brought to from outside: the first
 * argument names it. Says "serving" on its log once it runs, "closing" when asked to close.
 */
const [how = ''] = process.argv.slice(2)
const hold = setInterval(() => {}, 1000)
const SECRET = process.env.SESSION_JWT_SECRET ?? ''

process.exitCode = await serve(
  {
    env: process.env,
    cwd: process.cwd(),
    out: () => {},
    err: text => process.stderr.write(text),
    terminal: how.includes('terminal')
  },
  (config, { logDestination }) => {
    const log = createLogger({
      level: config.LOG_LEVEL,
      secrets: [SECRET],
      ...(logDestination ? { destination: logDestination } : {})
    })
    return {
      log,
      async start() {
        if (how === 'never starts') {
          setImmediate(() => log.info('starting'))
          await new Promise(() => {})
        }
        setImmediate(() => {
          log.info('serving')
          if (how.startsWith('throws'))
            throw Object.assign(new Error(`broken ${SECRET} \u001b[31mred\u0007`), { config: { key: SECRET } })
          if (how === 'rejects') void Promise.reject(new Error('broken'))
        })
        return { publicUrl: 'http://127.0.0.1:1', adminUrl: undefined }
      },
      async close() {
        log.info('the server closes')
        if (how === 'close fails') throw new Error(`cannot close ${SECRET}`)
        if (how === 'hangs' || how === 'never starts') await new Promise(() => {})
        if (how === 'throws twice') {
          setImmediate(() => {
            throw new Error('broken again')
          })
          await new Promise(() => {})
        }
        clearInterval(hold)
      }
    }
  }
)
