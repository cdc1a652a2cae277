import { execFileSync } from 'node:child_process'
import { closeSync, lstatSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Test } from 'tap'
import { createDiskOutbox } from '../../src/outbox/disk.js'
import { entry } from '../helper/proxy.js'
import { folder } from '../outbox/folder.js'
import { until } from '../outbox/until.js'

/**
 * A queue on disk with one entry, whose opening takes until it is let go on, as on a disk that is slow: where LevelDB looks
 * for the name of its newest manifest there is a pipe into which nothing was written yet.
 */
export async function heldQueue(t: Test) {
  const path = join(folder(t), 'queue')
  const open = () => createDiskOutbox({ path, maxBytes: 1e6 })
  const outbox = open()
  await outbox.start()
  await outbox.append([{ user: 'u:ada', body: JSON.stringify(entry()) }])
  await outbox.stop()
  const current = join(path, 'store', 'CURRENT')
  const text = readFileSync(current)
  rmSync(current)
  execFileSync('mkfifo', [current])
  t.teardown(() => {
    // a test that failed leaves a thread behind, and with it the process
    if (!lstatSync(current).isFIFO()) return
    const pipe = openSync(current, 'r+')
    writeSync(pipe, text)
    closeSync(pipe)
  })
  return {
    path,
    /** Resolves once the opening has begun. */
    begun: () => until(() => readdirSync(path).some(name => name.startsWith('before-open-'))),
    /** @param manifest of another name than that which there is: the queue is damaged */
    letGo: (manifest?: string) => writeFile(current, manifest ?? text),
    /** How many entries another process would inherit by now. @throws where the queue is in use */
    async entries(): Promise<number> {
      const next = open()
      const { inherited } = await next.start()
      await next.stop()
      return inherited
    }
  }
}
