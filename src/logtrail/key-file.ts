import { constants, type FSWatcher, watch } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { checkKeyPolicy, type KeyPolicy, parseKey, splitKeys } from './key.js'

export interface KeyFileOptions {
  /** Keys in use already, for example those that the configuration read: the file is told of only once it differs. */
  current?: readonly string[]
  /** Keys that break it are reported like malformed ones, and not taken. */
  policy?: KeyPolicy
  /** The file holds other keys. The file's content has been the same for `settleMs`. */
  onKeys(keys: string[], warnings: string[]): void
  /** The file cannot be read or used, once for each different fault; the keys in use stay. No key is in the message. */
  onFault(message: string): void
  /** How often the file is read although no notice of a change came, in ms. */
  pollMs?: number
  /** How long a file must rest before it counts as written, in ms. */
  settleMs?: number
}

export interface KeyFileWatcher {
  /** Resolves once no reading is under way, and nothing is reported any more. */
  close(): Promise<void>
}

/** Two keys, with room for white space. */
const MAX_BYTES = 4096

/**
 * Watches a file of keys, however it is changed: written in place, replaced by a rename, or through Kubernetes' symlink
 * (`key -> ..data/key`, where `..data` is renamed over to another directory, so that the file itself never changes). So
 * it is the directory that is watched, the file is read by its path, and what was read decides. A slow poll covers what
 * brings no notice: a path that leads to another directory, network file systems, a directory that is replaced.
 */
export function watchKeyFile(path: string, options: KeyFileOptions): KeyFileWatcher {
  const { policy, onKeys, onFault, pollMs = 10_000, settleMs = 50 } = options
  let used = options.current?.join()
  let reported: string | undefined
  /** What the last reading found. */
  let seen: Reading | undefined
  let settle: NodeJS.Timeout | undefined
  let reading: Promise<void> | undefined
  let again = false
  let closed = false
  let watcher: FSWatcher | undefined

  /** A reading counts once the next one, after a rest, finds the same: a file is empty and then partial while written. */
  async function look(): Promise<void> {
    const found = await readKeys(path)
    if (closed) return
    const same = seen !== undefined && found.text === seen.text && found.fault === seen.fault
    seen = found
    if (same) act(found)
    else rest()
  }

  function act({ text, fault }: Reading): void {
    const keys = splitKeys(text)
    const { faults, warnings } = fault === undefined ? check(keys) : { faults: [fault], warnings: [] }
    if (faults.length > 0) {
      const message = `The key file ${path} ${faults.join('; ')}`
      if (message !== reported) onFault(message)
      reported = message
      return
    }
    reported = undefined
    if (keys.join() === used) return
    used = keys.join()
    onKeys(keys, warnings)
  }

  function check(keys: string[]): { faults: string[]; warnings: string[] } {
    try {
      const infos = keys.map(parseKey)
      const verdict = checkKeyPolicy(infos, policy ?? { allowReadWrite: true })
      return { ...verdict, faults: verdict.faults.map(fault => `cannot be used: ${fault}`) }
    } catch (error) {
      return { faults: [`holds what ${(error as Error).message}`], warnings: [] }
    }
  }

  /** Not put off by further changes: in a busy directory it would never come. */
  function rest(): void {
    settle ??= setTimeout(() => {
      settle = undefined
      read()
    }, settleMs).unref()
  }

  function read(): void {
    if (reading !== undefined) {
      again = true
      return
    }
    reading = look().finally(() => {
      reading = undefined
      if (again && !closed) {
        again = false
        read()
      }
    })
  }

  try {
    watcher = watch(dirname(path), { persistent: false }, rest)
    // The poll goes on without it.
    watcher.on('error', rest)
  } catch {
    // No directory yet, or no watch left on this machine: the reading below reports the one, the poll serves for the other.
  }
  const poll = setInterval(read, pollMs)
  poll.unref()
  read()

  return {
    async close() {
      closed = true
      clearInterval(poll)
      clearTimeout(settle)
      watcher?.close()
      await reading
    }
  }
}

interface Reading {
  text: string
  fault?: string
}

async function readKeys(path: string): Promise<Reading> {
  try {
    // A pipe would hold a plain open until someone writes.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
    try {
      if (!(await file.stat()).isFile()) return { text: '', fault: 'is no file' }
      const { bytesRead, buffer } = await file.read(Buffer.alloc(MAX_BYTES + 1), 0, MAX_BYTES + 1, 0)
      if (bytesRead > MAX_BYTES) return { text: '', fault: 'is too long for one or two keys' }
      const text = buffer.toString('utf8', 0, bytesRead)
      return text.trim() === '' ? { text: '', fault: 'is empty' } : { text }
    } finally {
      await file.close()
    }
  } catch (error) {
    return { text: '', fault: `cannot be read (${(error as NodeJS.ErrnoException).code})` }
  }
}
