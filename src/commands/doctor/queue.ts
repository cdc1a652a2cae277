import { mkdtemp, readdir, rmdir, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Check, failed, ok, warning } from './check.js'

const OWNER = 'Let it be a directory that the user of this program may write: in a container, a volume of its own.'

/**
 * Whether the queue's directory is there or can be made, can be written, and has room for the whole of the queue. In use by a
 * running `serve` is well: nothing of the store is opened.
 */
export async function checkQueue(path: string, maxBytes: number): Promise<Check> {
  const name = 'queue'
  const place = await nearest(path)
  if (!place.isDirectory) return failed(name, `QUEUE_PATH: ${place.path} is not a directory`, OWNER)
  try {
    await rmdir(await mkdtemp(join(place.path, 'doctor-')))
  } catch (error) {
    const deed = place.path === path ? 'cannot be written' : `cannot be made in ${place.path}`
    return failed(name, `QUEUE_PATH: ${path} ${deed} (${(error as NodeJS.ErrnoException).code})`, OWNER)
  }
  const { bavail, bsize } = await statfs(place.path)
  const free = bavail * bsize
  const wanted = Math.max(0, maxBytes - (place.path === path ? await held(path) : 0))
  const state = place.path === path ? 'can be written' : 'can be made'
  if (free >= wanted)
    return ok(name, `${path} ${state}; ${mebibytes(free)} free, QUEUE_MAX_BYTES is ${mebibytes(maxBytes)}`)
  return warning(
    name,
    `${path} ${state}, but has ${mebibytes(free)} free, and the queue may grow by ${mebibytes(wanted)}`,
    'Free some space, set QUEUE_MAX_BYTES to what there is, or QUEUE_PATH to a larger volume.'
  )
}

/** The path itself, or what stands nearest to it on the way there. */
async function nearest(path: string): Promise<{ path: string; isDirectory: boolean }> {
  for (let place = path; ; place = dirname(place)) {
    const found = await stat(place).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined
      if (error.code === 'ENOTDIR') return undefined
      throw error
    })
    if (found) return { path: place, isDirectory: found.isDirectory() }
  }
}

/** Bytes that the queue takes already. Files come and go while it runs. */
async function held(path: string): Promise<number> {
  const files = await readdir(path, { recursive: true, withFileTypes: true })
  const sizes = await Promise.all(
    files.filter(file => file.isFile()).map(file => stat(join(file.parentPath, file.name)).catch(() => ({ size: 0 })))
  )
  return sizes.reduce((sum, { size }) => sum + size, 0)
}

const mebibytes = (bytes: number): string => `${Math.floor(bytes / 1024 / 1024)} MB`
