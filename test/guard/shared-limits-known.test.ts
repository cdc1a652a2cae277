import t from 'tap'
import type { Caller, LimitSettings, Limits, Standing } from '../../src/guard/limits.js'
import { createSharedLimits } from '../../src/guard/shared-limits.js'

/** What a replica knows between two answers of Redis; Redis itself is the other test's. */
const SETTINGS: LimitSettings = {
  window: 60_000,
  address: 100,
  userRequests: 10,
  userEntries: 50,
  anonymousRequests: 5,
  anonymousEntries: 20
}
const ADA: Caller = { addressKey: '192.0.2.1', userId: 'ada' }
const NOBODY: Caller = { addressKey: '192.0.2.1', userId: undefined }

/** Count and ms left of address, requests and entries, and whether the entries were taken. */
type Answer = [number, number, number, number, number, number, number]
const LITTLE: Answer = [1, 900, 1, 900, 1, 900, 1]

function limitsOf(settings: Partial<LimitSettings> = {}, own: Standing | null = null) {
  const asked: { keys: readonly string[]; args: readonly number[] }[] = []
  const told: (string | null)[] = []
  const state = { now: 5000, date: 1_700_000_000_000, ready: true, answer: async (): Promise<Answer> => LITTLE }
  /** Entries that this replica counted for itself. */
  const taken: number[] = []
  const local: Limits = {
    address: async () => own,
    request: () => own,
    entries(_sender, entries) {
      taken.push(entries)
      return own
    }
  }
  const limits = createSharedLimits({
    redis: {
      ready: () => state.ready,
      run(keys, args) {
        asked.push({ keys, args })
        return state.answer()
      }
    },
    settings: { ...SETTINGS, ...settings },
    local,
    digest: userId => `<${userId}>`,
    onFallback: reason => told.push(reason),
    now: () => state.now,
    wall: () => state.date
  })
  return { limits, state, asked, told, taken }
}

t.test('who is over a limit is refused without asking, until the window ends', async t => {
  const { limits, state, asked } = limitsOf()
  state.answer = async () => [1, 900, 11, 900, 0, 900, 1]
  t.match(await limits.entries(ADA, 1), { exceeded: true, code: 'RATE_LIMIT_USER_EXCEEDED', limit: 10 })
  state.now += 899
  state.date -= 3_600_000
  const reset = state.date / 1000 + 1
  t.match(limits.request(ADA), { exceeded: true, limit: 10, remaining: 0, retryAfter: 1, reset })
  t.equal(limits.request(NOBODY), null, 'nobody else')
  state.now += 1
  t.equal(limits.request(ADA), null)
  t.equal(limits.request(ADA), null)
  t.equal(asked.length, 1)
})

t.test('without a session the limit has its own name', async t => {
  const { limits, state } = limitsOf()
  state.answer = async () => [1, 900, 6, 900, 0, 900, 1]
  t.match(await limits.entries(NOBODY, 1), { code: 'RATE_LIMIT_ANONYMOUS_EXCEEDED', limit: 5 })
})

t.test('a request that ended before its entries were known can take its address over the limit', async t => {
  const { limits, state } = limitsOf()
  state.answer = async () => [101, 900, 0, 0, 0, 0, 1]
  t.match(await limits.uncounted?.(NOBODY, false), { exceeded: true, limit: 100, code: 'RATE_LIMIT_IP_EXCEEDED' })
  t.match(await limits.address(NOBODY), { exceeded: true, limit: 100 })
})

t.test('and its user, where it was asked about', async t => {
  const { limits, state } = limitsOf()
  state.answer = async () => [1, 900, 11, 900, 0, 0, 1]
  t.match(await limits.uncounted?.(ADA, true), { exceeded: true, limit: 10, code: 'RATE_LIMIT_USER_EXCEEDED' })
  t.match(limits.request(ADA), { exceeded: true, limit: 10 })
  t.equal(await limits.address(ADA), null)
})

t.test('where its caller was not asked about, its address alone is counted', async t => {
  const { limits, asked, state } = limitsOf()
  state.answer = async () => [1, 900, 0, 0, 0, 0, 1]
  t.equal(await limits.uncounted?.(NOBODY, false), null)
  t.match(await limits.uncounted?.(ADA, true), { limit: 10, remaining: 10, exceeded: false }, 'else both are, and told')
  t.same(
    asked.map(({ args }) => args),
    [
      [60_000, 100, 0, 0, 0],
      [60_000, 100, 10, 0, 0]
    ]
  )
  t.equal(limits.uncounted?.({ ...NOBODY, spared: true }, false), undefined, 'and of a spared one nothing')
  t.equal(asked.length, 2)
  state.answer = () => Promise.reject(new Error('gone'))
  t.equal(await limits.uncounted?.(ADA, true), null, 'Redis does not say')
  t.equal(limits.uncounted?.(ADA, true), undefined, 'and is left alone')
})

t.test('who has used up a limit is over it with the next request, which need not be asked about', async t => {
  const { limits, state, asked } = limitsOf()
  state.answer = async () => [100, 900, 10, 900, 1, 900, 1]
  t.match(await limits.entries(ADA, 1), { exceeded: false })
  t.match(limits.request(ADA), { exceeded: true, limit: 10, remaining: 0 })
  t.match(await limits.address(ADA), { exceeded: true, limit: 100, remaining: 0 })
  t.equal(asked.length, 1)
})

t.test('a spared address has no limit, and is not counted', async t => {
  const { limits, state, asked } = limitsOf()
  state.answer = async () => [1000, 900, 1, 900, 1, 900, 1]
  t.match(await limits.entries({ ...ADA, spared: true }, 1), { exceeded: false, limit: 50 })
  t.same(asked[0]?.args, [60_000, 0, 10, 50, 1])
})

const OWN: Standing = { limit: 50, remaining: 0, reset: 0, retryAfter: 7, exceeded: true }

t.test("while Redis answers, this replica's own counts refuse nobody, and are told nobody", async t => {
  const { limits, asked } = limitsOf({}, OWN)
  t.equal(await limits.address(ADA), null)
  t.equal(limits.request(ADA), null)
  t.match(await limits.entries(ADA, 1), { exceeded: false, requests: { limit: 10, remaining: 9 } })
  t.equal(asked.length, 1)
  t.equal(limitsOf({}, { ...OWN, exceeded: false }).limits.request(ADA), null)
})

t.test('they decide where Redis does not answer, of a request that they had against too', async t => {
  const { limits, state } = limitsOf({}, OWN)
  const ada = { ...ADA }
  const nobody = { ...NOBODY }
  const both = { ...NOBODY }
  limits.request(ada)
  limits.request(nobody)
  await limits.address(both)
  limits.request(both)
  state.answer = () => Promise.reject(new Error('gone'))
  t.match(await limits.entries(ada, 1), { ...OWN, code: 'RATE_LIMIT_USER_EXCEEDED' })
  t.match(await limits.uncounted?.(nobody, true), { ...OWN, code: 'RATE_LIMIT_ANONYMOUS_EXCEEDED' }, 'as it rests')
  t.match(await limits.entries(both, 1), { ...OWN, code: 'RATE_LIMIT_IP_EXCEEDED' })
  t.equal(await limits.address(ADA), OWN)
  t.equal(limits.request(ADA), OWN)
  t.equal(await limits.entries(ADA, 1), OWN)
  state.now += 1000
  t.equal(limits.request(ADA), null, 'and no longer')
  t.match(await limits.uncounted?.(nobody, true), { code: 'RATE_LIMIT_ANONYMOUS_EXCEEDED' }, 'as it fails')
  state.ready = false
  state.now += 1000
  t.equal(limits.request(ADA), OWN, 'where it is away they do at once')
})

t.test('what Redis refuses takes nothing here', async t => {
  const { limits, state, taken } = limitsOf()
  await limits.entries(ADA, 2)
  state.answer = async () => [1, 900, 1, 900, 49, 900, 0]
  t.match(await limits.entries(ADA, 3), { limit: 50, remaining: 1, exceeded: true })
  state.answer = async () => [1, 900, 11, 900, 0, 0, 1]
  t.match(await limits.entries(ADA, 4), { exceeded: true })
  t.same(taken, [2])
})

t.test('more entries than a window allows are not asked about', async t => {
  const { limits, asked } = limitsOf()
  t.throws(() => limits.entries(ADA, 51), { code: 'VALIDATION_BULK_LIMIT_EXCEEDED' })
  t.throws(() => limits.entries(NOBODY, 21), { code: 'VALIDATION_BULK_LIMIT_EXCEEDED' })
  t.equal(asked.length, 0)
  t.match(await limitsOf({ userEntries: 0 }).limits.entries(ADA, 1e6), { requests: { limit: 10 } })
})

t.test('limits that are off say nothing', async t => {
  t.equal(await limitsOf({ userRequests: 0, userEntries: 0 }).limits.entries(ADA, 1), null)
  t.match(await limitsOf({ userRequests: 0 }).limits.entries(ADA, 1), { limit: 50, remaining: 49, requests: undefined })
  t.match(await limitsOf({ userEntries: 0 }).limits.entries(ADA, 1), {
    limit: 10,
    remaining: 9,
    exceeded: false,
    requests: { limit: 10, remaining: 9 }
  })
})

t.test('a Redis that fails is left alone for a while, which is said once', async t => {
  const { limits, state, asked, told } = limitsOf()
  state.answer = () => Promise.reject(new Error('OOM command not allowed'))
  t.equal(await limits.entries(ADA, 1), null, 'what is counted here stands')
  state.now += 999
  t.equal(await limits.entries(ADA, 1), null)
  t.equal(asked.length, 1)
  state.now += 1
  t.equal(await limits.entries(ADA, 1), null)
  t.equal(asked.length, 2)
  t.same(told, ['Redis failed'])
  state.answer = async () => LITTLE
  state.now += 1000
  t.match(await limits.entries(ADA, 1), { exceeded: false })
  t.same(told, ['Redis failed', null])
})

t.test('it remembers ten thousand who are over a limit, and of more the latest', async t => {
  const { limits, state } = limitsOf()
  state.answer = async () => [1, 900, 11, 900, 0, 900, 1]
  const caller = (n: number): Caller => ({ addressKey: '192.0.2.1', userId: `u${n}` })
  for (let n = 0; n <= 10_000; n++) await limits.entries(caller(n), 1)
  t.equal(limits.request(caller(0)), null)
  t.match(limits.request(caller(1)), { exceeded: true })
  t.match(limits.request(caller(10_000)), { exceeded: true })
})

t.test('who is remembered already takes nobody else’s place', async t => {
  const { limits, state } = limitsOf()
  state.answer = async () => [1, 900, 11, 900, 0, 900, 1]
  const caller = (n: number): Caller => ({ addressKey: '192.0.2.1', userId: `u${n}` })
  for (let n = 0; n < 10_000; n++) await limits.entries(caller(n), 1)
  state.answer = async () => [1, 900, 12, 800, 0, 800, 1]
  await limits.entries(caller(1), 1)
  t.match(limits.request(caller(0)), { exceeded: true })
  await limits.entries(caller(10_000), 1)
  t.equal(limits.request(caller(0)), null)
  await limits.entries(caller(10_001), 1)
  t.match(limits.request(caller(1)), { exceeded: true }, 'and is among the latest again')
})
