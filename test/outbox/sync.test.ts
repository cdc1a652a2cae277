/**
 * An append resolves after its data is synced, shown by the system calls: for each entry, a write that holds it into a file
 * of the store, then an fdatasync or fsync of that file that has returned 0, then the line that says that it resolved.
 */
import t from 'tap'
import { noStrace } from '../helper/strace.js'
import { folder } from './folder.js'
import { type Log, trace } from './trace.js'

t.test('the sync has returned before an append resolves', { skip: noStrace }, async t => {
  const entries = new Map<number, { log: Log; write: number }>()
  let [shown, syncs] = [0, 0]
  trace(folder(t), 'append-one-by-one.ts', {
    onWrite(log, data) {
      for (const [, n] of data.matchAll(/number\\":(\d+),/g)) entries.set(Number(n), { log, write: log.written })
    },
    onSync(_, well) {
      if (well) syncs++
    },
    onSay(text) {
      for (const [, n] of text.matchAll(/resolved (\d+)\\n/g)) {
        const entry = entries.get(Number(n))
        if (entry === undefined || entry.log.synced < entry.write) t.fail(`${n} resolved before it was synced`)
        else shown++
      }
    }
  })
  t.equal(shown, 55, 'each of 55 appends was written, synced and then resolved')
  t.ok(syncs >= 31 && syncs <= 35, `30 single appends and a group of 25 took ${syncs} syncs`)
})
