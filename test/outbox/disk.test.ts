import t from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import type { Outbox } from '../../src/outbox/outbox.js'
import { behaves } from './behaviour.js'
import { folder } from './folder.js'

behaves(t, {
  durable: true,
  place: t => {
    const path = folder(t)
    return async ({ now = Date.now, room = 1_000_000 } = {}): Promise<Outbox> => {
      const outbox = createDiskOutbox({ path, maxBytes: room * 160, now })
      t.teardown(() => outbox.stop())
      await outbox.start()
      return outbox
    }
  }
})
