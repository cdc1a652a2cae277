import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { child, childEnv } from './child.js'

/** A log of LevelDB, as the system calls show it. */
export interface Log {
  file: string
  /** Writes that it has seen, and how many of these a finished sync covers. */
  written: number
  synced: number
}

export interface Watcher {
  /** A write into a log, counted already. */
  onWrite?(log: Log, data: string): void
  /** A sync of a log has returned, well or not. */
  onSync?(log: Log, well: boolean): void
  /** The child has said something; with the log that was written last. */
  onSay(text: string, log: Log | undefined): void
}

/**
 * Runs a child of these tests to its end and tells of its writes, syncs and words in their order.
 *
 * @param inject what strace is to do to its calls. They are counted by thread, so the pool has one.
 */
export function trace(path: string, name: string, watcher: Watcher, inject: string[] = []): void {
  const output = join(path, 'trace')
  const calls = 'trace=write,pwrite64,writev,fdatasync,fsync'
  execFileSync(
    'strace',
    [
      ...['-f', '-y', '-s', '100000', '-o', output, '-e', calls],
      ...inject.flatMap(one => ['-e', `inject=${one}`]),
      ...[process.execPath, ...child(name), path]
    ],
    { env: { ...childEnv, UV_THREADPOOL_SIZE: '1' }, stdio: ['ignore', 'ignore', 'inherit'], timeout: 120_000 }
  )
  const logs = new Map<string, Log>()
  /** Syncs that have begun, by thread. */
  const syncing = new Map<string, { log: Log | undefined; covers: number }>()
  let last: Log | undefined
  for (const line of readFileSync(output, 'utf8').split('\n')) {
    const thread = line.split(' ')[0] as string
    const write = /^\d+ +(?:write|pwrite64|writev)\(\d+<([^>]+)>, (.*)/.exec(line)
    if (write) {
      const [, file, data] = write as unknown as [string, string, string]
      if (file.endsWith('.log')) {
        last = logs.get(file) ?? { file, written: 0, synced: 0 }
        logs.set(file, last)
        last.written++
        watcher.onWrite?.(last, data)
      } else watcher.onSay(data, last)
    }
    const begun = /^\d+ +f(?:data)?sync\(\d+<([^>]+)>/.exec(line)
    if (begun) {
      const log = logs.get(begun[1] as string)
      syncing.set(thread, { log, covers: log?.written ?? 0 })
    }
    const ended = /f(?:data)?sync(?:\(| resumed>).*\) += (-?\d+)/.exec(line)
    const sync = syncing.get(thread)
    if (ended && sync?.log) {
      if (ended[1] === '0') sync.log.synced = sync.covers
      watcher.onSync?.(sync.log, ended[1] === '0')
    }
  }
}
