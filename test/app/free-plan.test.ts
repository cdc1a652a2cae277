/**
 * The free plan's 120 requests a minute: 3,000 entries, each a request of its own, would take 25 minutes one for one.
 * Through the program as a process, against a stand-in that enforces the plan.
 */
import t from 'tap'
import { startLogtrail } from '../helper/logtrail/logtrail.js'
import { entry } from '../helper/proxy.js'
import { startProgram, until } from '../oracle/program.js'

const USERS = 40
const EACH = 75
const ALL = USERS * EACH

t.setTimeout(180_000)

t.test(`${ALL} entries posted singly by ${USERS} users, queued`, async t => {
  const logtrail = await startLogtrail({ plan: 'free', latencyMs: 20 })
  t.teardown(() => logtrail.close())
  const program = await startProgram(
    {
      DELIVERY: 'queued',
      LOGTRAIL_PLAN: 'free',
      LOGTRAIL_URL: logtrail.url,
      LOGTRAIL_API_KEY: logtrail.key
    },
    t.testdir({})
  )
  t.teardown(() => void program.child.process.kill('SIGKILL'))
  const began = performance.now()
  const seconds = () => (performance.now() - began) / 1000
  const statuses: Record<number, number> = {}
  // Each waits for one answer before the next entry, so that the order is known.
  async function browse(user: number): Promise<void> {
    for (let i = 0; i < EACH; i++) {
      const answer = await program.post(`u${user}`, entry({ metadata: { id: `${user}-${i}` } }))
      statuses[answer?.status ?? 0] = (statuses[answer?.status ?? 0] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: USERS }, (_, user) => browse(user)))
  const posted = seconds()
  await logtrail.waitFor(({ ids }) => ids.size === ALL, 60_000)
  const delivered = seconds()
  t.strictSame(statuses, { 202: ALL }, 'every browser got its answer')
  t.ok(delivered < 60, `posted within ${posted.toFixed(1)} s, delivered within ${delivered.toFixed(1)} s`)
  t.ok(logtrail.stats.requests <= 70, `in ${logtrail.stats.requests} requests`)
  t.strictSame(Object.keys(logtrail.stats.answers), ['201'], 'none of them answered 429')
  t.ok(
    [...logtrail.ids.values()].every(times => times === 1),
    'each once'
  )
  const last = new Map<string, number>()
  for (const id of logtrail.ids.keys()) {
    const [user, n] = id.split('-') as [string, string]
    if (Number(n) !== (last.get(user) ?? -1) + 1) t.fail(`${id} is out of order`)
    last.set(user, Number(n))
  }
  t.equal(last.size, USERS, "every user's order held")
  await until(async () => (await program.books()).waiting === 0)
  t.match(await program.books(), { received: ALL, delivered: ALL, waiting: 0 })
})
