import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { arch, platform } from 'node:process'
import { fileURLToPath } from 'node:url'
import { prunePackages } from '../../docker/prune-packages.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** Beside Node.js itself. */
const MOST_MB = 30

interface Locked {
  packages: Record<string, { dev?: boolean; devOptional?: boolean }>
}

/** What the image holds of ours: dist, and the production packages as the Dockerfile prunes them. MB of files. */
export function measureContent(): { dist: number; packages: number } {
  const { packages }: Locked = JSON.parse(readFileSync(`${ROOT}package-lock.json`, 'utf8'))
  const copy = mkdtempSync(join(tmpdir(), 'content-'))
  try {
    for (const [path, { dev, devOptional }] of Object.entries(packages)) {
      if (path === '' || dev || devOptional) continue
      // a package within another comes with it, unless it is a tool of development's
      cpSync(ROOT + path, join(copy, path), {
        recursive: true,
        filter: one => !one.slice(ROOT.length + path.length).includes('/node_modules')
      })
    }
    const { kept } = prunePackages(join(copy, 'node_modules'), { platform, arch })
    const dist = readdirSync(`${ROOT}dist`, { recursive: true, encoding: 'utf8' })
      .map(name => statSync(`${ROOT}dist/${name}`))
      .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0)
    return { dist: dist / 1e6, packages: kept / 1e6 }
  } finally {
    rmSync(copy, { recursive: true })
  }
}

export function printContent({ dist, packages }: ReturnType<typeof measureContent>): void {
  const sum = `${(dist + packages).toFixed(1)} MB of at most ${MOST_MB}`
  console.log(`\nImage content: dist ${dist.toFixed(1)} MB, production packages ${packages.toFixed(1)} MB: ${sum}`)
}
