import { lstatSync, readdirSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { arch, argv, platform, stdout } from 'node:process'
import { fileURLToPath } from 'node:url'

/**
 * Takes out of `node_modules` what no running program reads: sources that were compiled, types, documentation, tests, and
 * the binaries of other platforms. Runs in the image's build (Dockerfile), where Node.js strips the types by itself.
 */

/** At the top of a package only: deeper ones may be part of the program. */
const FOLDERS = new Set(
  'test tests __tests__ bench benchmark benchmarks example examples doc docs coverage fixtures .github .vscode'.split(
    ' '
  )
)
/** Node.js does not run TypeScript out of node_modules, so there it is types or sources. */
const FILES =
  /\.(?:map|[cm]?ts|tsbuildinfo|md|markdown|ya?ml|gyp|gypi|cc|h|html|zip|flow)$|^\.(?!bin$)|^tsconfig.*\.json$/i
/** A licence asks to be kept with the code. */
const KEPT = /^(?:licen[cs]e|notice|copying|patents|third.?party)/i

export interface Target {
  platform: string
  arch: string
}

/** @returns bytes of the files that are left and of those removed */
export function prunePackages(folder: string, target: Target): { kept: number; removed: number } {
  const total = { kept: 0, removed: 0 }
  rmSync(join(folder, '.bin'), { recursive: true, force: true })
  for (const path of packagesIn(folder)) prunePackage(path, target, total)
  return total
}

function packagesIn(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true })
    .filter(entry => entry.isDirectory() && !entry.name.startsWith('.'))
    .flatMap(entry => {
      const path = join(folder, entry.name)
      return entry.name.startsWith('@') ? packagesIn(path) : [path]
    })
}

function prunePackage(path: string, target: Target, total: { kept: number; removed: number }): void {
  const names = readdirSync(path)
  // Built ahead for this platform: what it was built from is not needed.
  const built = names.includes('prebuilds') && pruneBinaries(join(path, 'prebuilds'), target, total)
  for (const name of names) {
    const one = join(path, name)
    if (!lstatSync(one).isDirectory()) pruneFile(one, total)
    else if (name === 'node_modules') {
      const nested = prunePackages(one, target)
      total.kept += nested.kept
      total.removed += nested.removed
    } else if (FOLDERS.has(name) || (built && name === 'deps')) remove(one, total)
    else if (name !== 'prebuilds') pruneFolder(one, total)
  }
}

function pruneFolder(path: string, total: { kept: number; removed: number }): void {
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const one = join(path, entry.name)
    if (entry.isDirectory()) pruneFolder(one, total)
    else pruneFile(one, total)
  }
}

function pruneFile(path: string, total: { kept: number; removed: number }): void {
  const name = basename(path)
  if (FILES.test(name) && !KEPT.test(name)) remove(path, total)
  else total.kept += lstatSync(path).size
}

/** As prebuildify lays them out: prebuilds/{platform}-{arch}/{name}[.armv8][.musl].node; Debian's C library is glibc. */
function pruneBinaries(path: string, target: Target, total: { kept: number; removed: number }): boolean {
  let found = false
  for (const name of readdirSync(path)) {
    const [platform, archs] = name.split('-') as [string, string]
    const ours = platform === target.platform && archs.split('+').includes(target.arch)
    for (const file of readdirSync(join(path, name))) {
      const one = join(path, name, file)
      if (!ours || (platform === 'linux' && file.includes('.musl.'))) remove(one, total)
      else {
        found = true
        total.kept += lstatSync(one).size
      }
    }
    if (!ours) rmSync(join(path, name), { recursive: true })
  }
  return found
}

function remove(path: string, total: { removed: number }): void {
  total.removed += size(path)
  rmSync(path, { recursive: true })
}

function size(path: string): number {
  const stat = lstatSync(path)
  if (!stat.isDirectory()) return stat.size
  return readdirSync(path).reduce((sum, name) => sum + size(join(path, name)), 0)
}

if (argv[1] === fileURLToPath(import.meta.url)) {
  const folder = argv[2]!
  const { kept, removed } = prunePackages(folder, { platform, arch })
  const mb = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`
  stdout.write(`${folder}: ${mb(kept)} kept, ${mb(removed)} removed\n`)
}
