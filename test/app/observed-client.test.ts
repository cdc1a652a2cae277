import t from 'tap'
import { observeRates } from '../../src/app/observed-client.js'

t.test('what Logtrail says of its bucket, until the time it names', async t => {
  let now = 0
  let headers: Record<string, string> = {}
  const answer = () => ({ status: 201, headers, body: Buffer.alloc(0) })
  const observed = observeRates(
    {
      post: async () => answer(),
      requestable: {
        request: (_options: unknown, done: (error: null, answer: object) => void) => done(null, { body: answer() })
      },
      close: async () => {}
    } as never,
    () => now
  )
  const both = () => [observed.limit(), observed.remaining()]
  const post = () => observed.client.post('bulk' as never, '[]', {} as never)
  t.same(both(), [undefined, undefined])
  await post()
  t.same(both(), [undefined, undefined], 'it need not say')
  headers = { 'x-ratelimit-limit': '120', 'x-ratelimit-remaining': '7', 'x-ratelimit-reset': '60' }
  await post()
  t.same(both(), [120, 7])
  now = 60_000
  t.same(both(), [120, 120], 'the bucket is full again')
  headers = { 'x-ratelimit-limit': '300' }
  await new Promise<void>(resolve => observed.client.requestable.request({} as never, () => resolve()))
  t.same(both(), [300, 300])
  await observed.client.close()
})
