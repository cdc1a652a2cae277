/** What it costs to find dead letters by their ids: each reach into LevelDB may cross all that was deleted behind it. */
import t from 'tap'
import { createDeadLetters } from '../../src/outbox/dead-letters.js'
import type { Change, Engine } from '../../src/outbox/engine.js'
import { deadKey } from '../../src/outbox/records.js'

const LAST = 100_000

/** Dead letters over records in memory, with how often and for how much these were read. */
function store(sequences: number[], others: Buffer[] = []) {
  const read = { calls: 0, rows: 0, slices: [] as number[] }
  let records = [...sequences.map(each => deadKey(each, '{}')), ...others].sort(Buffer.compare)
  const db = {
    iterator: ({ gte, limit }: { gte: Buffer; limit: number }) => ({
      all: async () => {
        const found = records.filter(key => Buffer.compare(key, gte) >= 0).slice(0, limit)
        read.calls++
        read.rows += found.length
        return found.map(key => [key, '{}'])
      }
    })
  }
  const commit = (change: Change) => {
    const gone = new Set<string>()
    change.write({ put: () => {}, del: key => gone.add(key.toString('hex')) })
    records = records.filter(key => !gone.has(key.toString('hex')))
    read.slices.push(gone.size)
    change.done()
  }
  const letters = createDeadLetters({
    engine: { db, commit } as unknown as Engine,
    books: { deadLetters: sequences.length, deadBytes: 1e9, sequence: LAST },
    now: () => 0,
    admit: () => {}
  })
  return { letters, read, left: () => records.length }
}

const upTo = (count: number) => Array.from({ length: count }, (_, i) => i + 1)

t.test('ids that are none any more are not asked for one by one', async t => {
  const { letters, read } = store([50_000])
  t.equal(await letters.purge(upTo(4000)), 0)
  t.equal(read.calls, 1, 'the first one that there is says all of those before it')
  t.equal(await letters.purge(upTo(4000).map(id => 60_000 + id)), 0)
  t.equal(read.calls, 2, 'or that there is none')
})

t.test('those that follow one another are read together, in slices', async t => {
  const { letters, read, left } = store(upTo(1000))
  t.equal(await letters.purge([...upTo(1000), ...upTo(10)].reverse()), 1000)
  t.strictSame(read.slices, [256, 256, 256, 232])
  t.ok(read.calls < 40, `${read.calls} calls`)
  t.equal(left(), 0)
})

t.test('few among many: little is read that was not asked for', async t => {
  const { letters, read, left } = store(upTo(5000))
  t.equal(await letters.purge(upTo(100).map(i => i * 50)), 100)
  t.ok(read.rows <= 300, `${read.rows} records`)
  t.equal(left(), 4900)
})

t.test('the one found behind an unknown id may be the next that is wanted', async t => {
  const { letters, left } = store([3, 7, 8, 20])
  t.equal(await letters.purge([1, 2, 3, 5, 7, 9, 20, 21]), 3)
  t.equal(left(), 1)
})

t.test('a key that this store did not write hides nothing behind it', async t => {
  const { letters, left } = store([5], [Buffer.from('d\0\0\0\0\0\x02?')])
  t.equal(await letters.purge([1, 2, 5]), 1)
  t.equal(left(), 1)
})
