import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { SECRET } from '../helper/proxy.js'

// What runs for people is dist/, where a CommonJS package that is loaded late has only its default: every use of Redis
// ended the start with "Client is not a constructor", while all tests of src went well.
const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

const USES: Record<string, Record<string, string>> = {
  'shared limits': { SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SECRET },
  sessions: { SESSION_MODE: 'redis', SESSION_SECRET: SECRET },
  'a shared queue': { SESSION_MODE: 'jwt', SESSION_JWT_SECRET: SECRET, DELIVERY: 'queued', QUEUE_STORE: 'redis' }
}

for (const [use, env] of Object.entries(USES)) {
  t.test(`the built program starts with a Redis that is away: ${use}`, async t => {
    const cwd = await mkdtemp(join(tmpdir(), 'built-'))
    t.teardown(() => rm(cwd, { recursive: true }))
    const child = spawn(process.execPath, [main], {
      cwd,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH ?? '',
        PORT: '0',
        ADMIN_PORT: '0',
        LOGTRAIL_API_KEY: 'lt_development_wo_T3stOnlyNeverIssued42',
        LOGTRAIL_URL: 'http://127.0.0.1:1',
        LOGTRAIL_PLAN: 'free',
        REDIS_URL: 'redis://127.0.0.1:1',
        ...env
      }
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', text => {
        said += text
        if (said.includes('Server listening')) child.kill('SIGTERM')
      })
    }
    const [status] = await once(child, 'close')
    t.equal(status, 0, said)
    t.match(said, 'Redis is away')
  })
}
