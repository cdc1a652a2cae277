/**
 * A sync that fails after the write has reached the log: to LevelDB, opened again, that write is there like any other. What was
 * refused must not have happened all the same: whoever was told no sends it again, under another number.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { noStrace } from '../helper/strace.js'
import type { Note } from './children/refused-syncs.js'
import { folder } from './folder.js'
import { trace } from './trace.js'

t.test('what was refused because of its sync has not happened', { skip: noStrace }, async t => {
  const path = folder(t)
  const opened: string[] = []
  let refused = 0
  trace(
    path,
    'refused-syncs.ts',
    {
      onSync(_, well) {
        if (!well) refused++
      },
      onSay(text, log) {
        if (!text.startsWith('"writable\\n"')) return
        opened.push(log?.file as string)
        t.ok(log !== undefined && log.synced === log.written, 'what was put right is synced before anybody is told')
      }
    },
    // Far enough from each other and from the start for the store to be opened in between.
    ['fdatasync:error=EIO:when=30+30']
  )
  const { done, told, found } = JSON.parse(readFileSync(join(path, 'note'), 'utf8')) as Note
  t.equal(refused, 3)
  t.equal(new Set(opened).size, 3, 'each time it was put right in a new log')
  t.ok(Math.min(done.appended, done.buried, done.retried) > 0, `${JSON.stringify(done)} changes before those refused`)
  t.same(found, told)
})
