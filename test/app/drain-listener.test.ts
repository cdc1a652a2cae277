import t from 'tap'
import { drainListener } from '../../src/app/drain-listener.js'
import type { Delivery } from '../../src/delivery/delivery.js'
import type { PublicListener } from '../../src/public.js'

t.test('whoever waits is answered and the listener closed, also where delivery cannot be', async t => {
  const done: string[] = []
  const note = (what: string) => async () => void done.push(what)
  const server = { closeIdleConnections: note('idle'), closeAllConnections: note('all') }
  const listener = {
    app: { server, close: note('closed') },
    drain: { idle: note('drained') },
    isReading: () => false,
    giveUp: note('answered')
  } as unknown as PublicListener
  const delivery = { stop: () => Promise.reject(new Error('EIO')) } as unknown as Delivery
  await t.rejects(drainListener(listener, delivery, 100), { message: 'EIO' })
  t.same(done, ['drained', 'answered', 'idle', 'drained', 'all', 'closed'])
})
