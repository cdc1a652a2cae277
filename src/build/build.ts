import { execFileSync } from 'node:child_process'
import { cpSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { writeModules } from './modules.js'

/**
 * The build, into the folder that it is told (dist/): the program as one module with its lazy parts, and the browser client
 * with its types.
 *
 * Bundled, since a third of a cold start went into finding some 900 small files of dependencies; what a configuration does not
 * use (Redis, the queue's engine, other session modes) is a chunk that is not read. Left outside: classic-level, which is
 * native code, and pino, whose transports are files of their own.
 */
const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))
const dist = resolve(process.argv[2]!)

rmSync(dist, { recursive: true, force: true })
await build({
  entryPoints: [here('../main.ts')],
  outdir: dist,
  bundle: true,
  splitting: true,
  platform: 'node',
  target: 'node20.19',
  format: 'esm',
  external: ['classic-level', 'pino', 'pino-pretty'],
  chunkNames: 'parts/[name]-[hash]',
  legalComments: 'linked',
  // for the dependencies that are CommonJS
  banner: {
    js: "import { createRequire as $createRequire } from 'node:module'; const require = $createRequire(import.meta.url);"
  }
})
// the status page, as it stands
cpSync(here('../admin/page'), join(dist, 'page'), { recursive: true })
const tsc = here('../../node_modules/typescript/bin/tsc')
const types = ['-p', here('../browser'), '--outDir', join(dist, 'browser')]
execFileSync(process.execPath, [tsc, ...types], { stdio: 'inherit' })
console.log(writeModules(join(dist, 'browser')))
