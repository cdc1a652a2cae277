import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

export interface KeyFolder {
  /** LOGTRAIL_API_KEY_FILE */
  path: string
  put(keys: readonly string[]): void
}

/** A key in a folder as Kubernetes mounts a secret: each version a folder of its own, `..data` swapped to it by a rename. */
export function createKeyFolder(folder: string): KeyFolder {
  let version = 0
  const path = join(folder, 'key')
  return {
    path,
    put(keys) {
      const name = `..v${++version}`
      mkdirSync(join(folder, name), { recursive: true })
      writeFileSync(join(folder, name, 'key'), keys.join(','))
      symlinkSync(name, join(folder, '..data_tmp'))
      renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
      if (version === 1) symlinkSync('..data/key', path)
      else rmSync(join(folder, `..v${version - 1}`), { recursive: true })
    }
  }
}
