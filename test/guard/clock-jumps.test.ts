import { once } from 'node:events'
import t, { type Test } from 'tap'
import type { LogtrailOptions } from '../helper/logtrail/logtrail.js'
import { entry } from '../helper/proxy.js'
import { startRedis } from '../helper/redis.js'
import { forkProgram } from './fork-program.js'

/**
 * A machine's date may be set, back or on, while the program runs: nobody is locked out for as long as it jumped, nor let in
 * before the window is over.
 */

const HOUR = 3_600_000

async function startJumping(t: Test, env: Record<string, string>, options: LogtrailOptions = {}) {
  const { child, urls } = await forkProgram(t, 'jumping.ts', {
    env: { ADMIN_PORT: '0', SESSION_MODE: 'none', ...env },
    logtrail: options
  })
  return {
    async jump(ms: number) {
      child.send(ms)
      await once(child, 'message')
      return ms
    },
    async post() {
      const { status, headers } = await fetch(`${urls[0]}/logtrail/logs`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' },
        body: JSON.stringify(entry())
      })
      return { status, wait: Number(headers.get('retry-after')), reset: Number(headers.get('x-ratelimit-reset')) }
    }
  }
}

/** @param follows 1 where Reset is a date of that machine's, 0 where Logtrail has named it */
async function staysRefused(t: Test, { jump, post }: Awaited<ReturnType<typeof startJumping>>, follows = 1) {
  for (const ms of [-HOUR, HOUR]) {
    const now = (Date.now() + (await jump(ms)) * follows) / 1000
    const { status, wait, reset } = await post()
    t.equal(status, 429)
    t.ok(wait >= 1 && wait <= 60, `Retry-After ${wait}`)
    t.ok(Math.abs(reset - now - wait) < 5, `Reset in ${reset - now} s`)
  }
}

const redis = await startRedis()
t.teardown(() => redis?.stop())

for (const [name, limit] of [
  ['an address', 'RATE_LIMIT_IP_MAX'],
  ['requests', 'RATE_LIMIT_ANONYMOUS_MAX'],
  ['entries', 'RATE_LIMIT_ANONYMOUS_LOGS_MAX']
] as const) {
  t.test(`a window of ${name} ends when it is over`, async t => {
    const program = await startJumping(t, { [limit]: '1' })
    t.equal((await program.post()).status, 201)
    await staysRefused(t, program)
  })
}

t.test(
  'what Redis has said of a sender likewise',
  { skip: redis === undefined ? 'needs redis-server' : false },
  async t => {
    const program = await startJumping(t, { RATE_LIMIT_ANONYMOUS_MAX: '1', REDIS_URL: redis!.url })
    while ((await program.post()).status !== 429);
    await staysRefused(t, program)
  }
)

t.test("a Retry-After of Logtrail's likewise", async t => {
  const program = await startJumping(t, { DELIVERY: 'direct' }, { limits: { requestsPerMinute: 1 } })
  t.equal((await program.post()).status, 201)
  t.equal((await program.post()).status, 429)
  await staysRefused(t, program, 0)
})
