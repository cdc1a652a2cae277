/**
 * An append resolves after its data is synced, shown by the system calls: for each entry, a write that holds it into a file
 * of the store, then an fdatasync or fsync of that file that has returned 0, then the line that says that it resolved.
 */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { child, childEnv } from './child.js'
import { folder } from './folder.js'

function canTrace(): boolean {
  try {
    execFileSync('strace', ['-o', '/dev/null', process.execPath, '--version'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const skip = canTrace() ? false : 'strace is not installed or may not trace here'

t.test('the sync has returned before an append resolves', { skip }, async t => {
  const path = folder(t)
  const trace = join(path, 'trace')
  const calls = 'trace=write,pwrite64,writev,fdatasync,fsync'
  execFileSync(
    'strace',
    ['-f', '-y', '-s', '100000', '-e', calls, '-o', trace, process.execPath, ...child('append-one-by-one.ts'), path],
    {
      env: childEnv,
      stdio: 'ignore'
    }
  )

  /** By file: how many writes it has seen, and how many of these a finished sync covers. */
  const written = new Map<string, number>()
  const synced = new Map<string, number>()
  /** Syncs that have begun, by thread. */
  const syncing = new Map<string, { file: string; covers: number }>()
  const entries = new Map<number, { file: string; write: number }>()
  let [shown, syncs] = [0, 0]

  for (const line of readFileSync(trace, 'utf8').split('\n')) {
    const thread = line.split(' ')[0] as string
    const write = /^\d+ +(?:write|pwrite64|writev)\(\d+<([^>]+\.log)>, (.*)/.exec(line)
    if (write) {
      const [, file, data] = write as unknown as [string, string, string]
      const count = (written.get(file) ?? 0) + 1
      written.set(file, count)
      for (const [, n] of data.matchAll(/number\\":(\d+),/g)) entries.set(Number(n), { file, write: count })
    }
    const begun = /^\d+ +f(?:data)?sync\(\d+<([^>]+)>(.*)/.exec(line)
    if (begun) syncing.set(thread, { file: begun[1] as string, covers: written.get(begun[1] as string) ?? 0 })
    if (begun ? /\) += 0$/.test(line) : /f(data)?sync resumed>.*\) += 0$/.test(line)) {
      const { file, covers } = syncing.get(thread) as { file: string; covers: number }
      synced.set(file, covers)
      if (file.endsWith('.log')) syncs++
    }
    for (const [, n] of line.matchAll(/resolved (\d+)\\n/g)) {
      const entry = entries.get(Number(n))
      if (entry === undefined || (synced.get(entry.file) ?? 0) < entry.write)
        t.fail(`${n} resolved before it was synced`)
      else shown++
    }
  }
  t.equal(shown, 50, 'each of 50 appends was written, synced and then resolved')
  t.ok(syncs >= 26 && syncs <= 30, `25 single appends and a group of 25 took ${syncs} syncs`)
})
