import t from 'tap'
import { books } from '../admin/scrape.js'
import { createRandom } from '../delivery/random.js'
import { entry, startProxy } from '../helper/proxy.js'
import { FREE_OF_LIMITS } from '../oracle/program.js'

const seed = Number(process.env.ORACLE_SEED ?? Date.now() % 1_000_000)
const isBad = (id: string) => id.endsWith('!')

t.test(`pooled: each browser has its own verdict, over faults of every kind (ORACLE_SEED=${seed})`, async t => {
  const env = {
    DELIVERY: 'pooled',
    LOGTRAIL_TIMEOUT: '300ms',
    LOGTRAIL_MAX_BATCH: '50',
    POOL_TIMEOUT: '4s',
    ...FREE_OF_LIMITS
  }
  const program = await startProxy(t, {
    env: { ...env, LOG_LEVEL: 'error' },
    logtrail: {
      limits: { requestsPerMinute: 6000, logsPerMonth: 1e9, maxBatch: 50 },
      faultMix: { seed, share: 0.2 },
      refuse: ({ metadata }) =>
        isBad((metadata as { id: string }).id) ? { field: 'metadata', message: 'is bad' } : undefined
    }
  })
  const { logtrail } = program
  const random = createRandom(seed)
  const statuses: Record<number, number> = {}
  const ends = performance.now() + 8000

  async function browse(user: number): Promise<void> {
    for (let n = 0; performance.now() < ends; ) {
      const bulk = random() < 0.3
      const ids = Array.from(
        { length: bulk ? 1 + Math.floor(random() * 5) : 1 },
        () => `${user}-${n++}${random() < 0.05 ? '!' : ''}`
      )
      const sent = ids.map(id => entry({ metadata: { id } }))
      const answer = await program.post(bulk ? sent : sent[0], {
        path: bulk ? '/logtrail/logs/bulk' : '/logtrail/logs',
        user: String(user)
      })
      const { status, body } = answer
      statuses[status] = (statuses[status] ?? 0) + 1
      const bad = ids.filter(isBad)
      const said = (status === 201 ? body.rejected : body.details?.errors) ?? []
      const named = said.map((fault: { log_index: number | null }) => ids[fault.log_index ?? 0])
      if (status === 201) {
        t.same(
          [named, body.accepted],
          [bad, ids.length - bad.length],
          'the refused ones are named, the others are taken'
        )
        for (const id of ids)
          if (!isBad(id) && !logtrail.ids.has(id)) t.fail(`${id} was answered 201 and is not stored`)
      } else if (status === 400) t.same([named, bad], [ids, ids], 'none of them was any good')
      else t.ok([429, 502, 503, 504].includes(status), `${status} tells of a fault`)
    }
  }

  await Promise.all(Array.from({ length: 25 }, (_, user) => browse(user)))
  logtrail.faults.clear()
  const now = await books(program)
  t.comment(JSON.stringify({ statuses, faults: logtrail.stats.faults, now }))
  t.equal(now.waiting, 0)
  t.equal(now.came, now.went, 'the books balance')
  t.notOk([...logtrail.ids.keys()].some(isBad))
  t.ok(statuses[201]! > 100 && statuses[400]! > 0, 'and it was worth asking')
})
