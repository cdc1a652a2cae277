import {
  copyFile,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat
} from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { strangeBytes } from './log-check.js'
import { Mark } from './mark.js'
import { OutboxLockedError, OutboxUnusableError } from './outbox.js'

export type Level = ClassicLevel<Buffer, string>

export interface Opened {
  db: Level
  mark: Mark
  /** What was damaged, in words, and the folder that keeps what could not be read, where anything was left of it. */
  damage?: string
  setAside?: string
}

/** Files that hold entries or say where they are. LOG is LevelDB's diary, LOCK its lock. */
const DATA = /^(\d+\.(ldb|sst|log)|MANIFEST-\d+|CURRENT)$/
const LOGS = /^\d+\.log$/

/** Folders of a start that is under way. */
const BEFORE = 'before-open-'

/** Faults of the place and not of what lies there, as the C library words them. */
const PLACE =
  /permission denied|no space left|read-only file system|too many open files|quota exceeded|file too large|operation not permitted|cannot allocate|input\/output error|i\/o error/i

/**
 * Opens LevelDB in `<path>/store`, and repairs it first where it has to. Nothing that cannot be read is deleted: whatever
 * LevelDB replaces or passes over is kept in `<path>/damaged-<time>`.
 *
 * @param scan reads what it needs of the open store, from the beginning if it is called again; throws on what it cannot read
 * @throws OutboxUnusableError, which OutboxLockedError is too
 */
export async function openLevel(path: string, scan: (db: Level) => Promise<void>, now: number): Promise<Opened> {
  await checkPlace(path)
  const store = join(path, 'store')
  // Links to the files as they are before LevelDB touches them.
  const before = await mkdtemp(join(path, BEFORE))
  const keep = async (db: Level, damage: string, known?: Mark): Promise<Opened> => {
    const mark = known ?? (await Mark.read(store, db))
    // A log that was deleted leaves nothing to set aside.
    const setAside = join(path, `damaged-${new Date(now).toISOString().replace(/[:.]/g, '-')}`)
    const left = (await readdir(before)).length > 0
    await (left ? rename(before, setAside) : rmdir(before))
    mark.accept()
    return { db, mark, damage, ...(left && { setAside }) }
  }

  if (!(await isFolderOrNothing(store))) {
    await rename(store, join(before, 'store'))
    return keep(await tryOpen(store, scan), `${store} was not a folder: the queue begins empty`)
  }

  await linkFiles(store, before, LOGS)
  let reason: string
  let opened: { close(): Promise<void> }[] = []
  try {
    const db = await tryOpen(store, scan)
    opened = [db]
    const mark = await Mark.read(store, db)
    opened = [mark, db]
    const lost: string[] = []
    if (mark.missing > 0) lost.push(`the last ${mark.missing} writes that it acknowledged are missing`)
    const bytes = (await passedOver(before, store, 'LOG')) + (await adopt(path, before, store, mark.missing > 0))
    if (bytes > 0) lost.push(`about ${bytes} bytes of the queue's log could not be read`)
    if (lost.length > 0) {
      const damage = `the queue was damaged: ${lost.join(', and ')}. What could be read is in use; the log is set aside as it was, if there is one`
      return await keep(db, damage, mark)
    }
    await rm(before, { recursive: true })
    mark.accept()
    return { db, mark }
  } catch (error) {
    for (const one of opened) await one.close()
    const cause = rootOf(error)
    reason = cause.message
    if (cause.code === 'LEVEL_LOCKED' || PLACE.test(reason)) {
      await rm(before, { recursive: true })
      if (cause.code === 'LEVEL_LOCKED') throw new OutboxLockedError(path)
      throw new OutboxUnusableError(path, `cannot be used: ${reason}`)
    }
  }

  await linkFiles(store, before, DATA)
  try {
    await ClassicLevel.repair(store)
    const db = await tryOpen(store, scan)
    await dropSame(store, before)
    return await keep(db, `the queue was damaged (${reason}) and repaired: what could be read is in use`)
  } catch (error) {
    await rename(store, join(before, 'store'))
    const again = rootOf(error).message
    const damage = `the queue was damaged (${reason}), could not be repaired (${again}) and begins empty`
    return keep(await tryOpen(store, scan), damage)
  }
}

/** abstract-level wraps what LevelDB said while opening. */
function rootOf(error: unknown): { code?: string; message: string } {
  const { cause } = error as Error
  return (cause instanceof Error ? cause : error) as Error & { code?: string }
}

async function tryOpen(store: string, scan: (db: Level) => Promise<void>): Promise<Level> {
  await makeFolder(store)
  // Told to create, LevelDB takes a folder without CURRENT for a new one and deletes the tables that lie in it.
  const createIfMissing = !(await readdir(store)).some(name => DATA.test(name))
  const db = new ClassicLevel<Buffer, string>(store, {
    keyEncoding: 'buffer',
    valueEncoding: 'utf8',
    createIfMissing,
    // Compressed, as is the default: a damaged block then fails to unpack; LevelDB ends the process over some that are not.
    // Entries are read once, so a cache serves index blocks at most.
    cacheSize: 1024 * 1024
  })
  try {
    await db.open()
    await scan(db)
    return db
  } catch (error) {
    await db.close()
    throw error
  }
}

/** Throws, in words for whoever set QUEUE_PATH, if nothing can be written there. */
async function checkPlace(path: string): Promise<void> {
  try {
    await makeFolder(path)
    await probe(path, 64 * 1024)
  } catch (error) {
    throw new OutboxUnusableError(path, `cannot be used: ${(error as Error).message}`)
  }
}

/** Makes a folder where it is missing, for this user alone, and syncs what names it: a synced entry in a lost folder is lost. */
async function makeFolder(path: string): Promise<void> {
  const folder = resolve(path)
  const parent = dirname(folder)
  try {
    await mkdir(folder, { mode: 0o700 })
  } catch (error) {
    if (await isFolder(folder)) return
    // By hand: mkdir's `recursive` never ends where a parent is there and yet says ENOENT, as a link that leads nowhere does.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || (await isFolder(parent))) throw error
    await makeFolder(parent)
    return makeFolder(folder)
  }
  const naming = await open(parent, 'r')
  // Not every file system knows how to sync a folder.
  await naming.sync().catch(() => {})
  await naming.close()
}

async function isFolder(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined))?.isDirectory() === true
}

/** Writes and syncs a file of so many bytes, and deletes it. */
export async function probe(path: string, bytes: number): Promise<void> {
  const name = join(path, `.probe-${process.pid}`)
  const file = await open(name, 'w', 0o600)
  try {
    await file.writeFile(Buffer.alloc(bytes, 1))
    await file.sync()
  } finally {
    await file.close()
    await rm(name, { force: true })
  }
}

async function isFolderOrNothing(store: string): Promise<boolean> {
  try {
    return (await lstat(store)).isDirectory()
  } catch {
    return true
  }
}

/** Links files of `from` into `to`, or copies them where the file system has no links. */
async function linkFiles(from: string, to: string, names: RegExp): Promise<void> {
  await makeFolder(from)
  for (const { name } of (await readdir(from, { withFileTypes: true })).filter(
    one => one.isFile() && names.test(one.name)
  )) {
    await link(join(from, name), join(to, name)).catch(async ({ code }: NodeJS.ErrnoException) => {
      // Linked already; or gone, because another process has the store and goes on with it.
      if (code !== 'EEXIST' && code !== 'ENOENT') await copyFile(join(from, name), join(to, name))
    })
  }
}

/**
 * With the store open and so its lock held: links of earlier starts that were interrupted. They matter only if something
 * was passed over then or is missing now, and are kept with ours in that case. Returns how many bytes were passed over.
 */
async function adopt(path: string, before: string, store: string, missing: boolean): Promise<number> {
  let bytes = 0
  for (const { name } of (await readdir(path, { withFileTypes: true })).filter(
    one => one.isDirectory() && one.name.startsWith(BEFORE) && one.name !== basename(before)
  )) {
    const passed = await passedOver(join(path, name), store, 'LOG.old')
    bytes = Math.max(bytes, passed)
    if (passed > 0 || missing) await rename(join(path, name), join(before, name))
    else await rm(join(path, name), { recursive: true })
  }
  return bytes
}

/** After a repair: what is still in the store as it was need not be kept twice, nor what LevelDB itself put aside. */
async function dropSame(store: string, before: string): Promise<void> {
  for (const name of await readdir(before)) {
    const kept = await lstat(join(before, name))
    const used = await lstat(join(store, name)).catch(() => undefined)
    if (used?.ino === kept.ino) await rm(join(before, name))
  }
  await rm(join(store, 'lost'), { recursive: true, force: true })
}

/**
 * LevelDB passes over damaged parts of its log: it tells its diary of some, and `strangeBytes` finds the others in the logs
 * that were linked. A tail that a crash tore off is not damage.
 */
async function passedOver(links: string, store: string, diary: string): Promise<number> {
  const lines = await readFile(join(store, diary), 'latin1').catch(() => '')
  let bytes = 0
  for (const [, dropped] of lines.matchAll(/dropping (\d+) bytes/g)) bytes += Number(dropped)
  for (const one of await readdir(links, { withFileTypes: true })) {
    if (one.isFile() && LOGS.test(one.name)) bytes += await strangeBytes(join(links, one.name))
  }
  return bytes
}
