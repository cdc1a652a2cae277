import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'
import { minify_sync } from 'terser'

/** What the client must stay under on the wire (interface, "The browser client"), in bytes after gzip: 3 KiB. */
export const MAX_GZIP = 3072

/** Names between the client's parts, shortened; those of its interface, of entries and of the browser stay. */
const INTERNAL = /^(recall|remember|know|putAside|waiting|take|limit|leave|run)$/

/** One of the browser's modules with all its parts as a single minified ES module. */
export function bundle(entry: 'client' | 'pino'): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL(`../browser/${entry}.ts`, import.meta.url))],
    bundle: true,
    minify: true,
    // The adapter's only names are its interface with pino.
    ...(entry === 'client' ? { mangleProps: INTERNAL } : {}),
    write: false,
    format: 'esm',
    target: 'es2021',
    charset: 'utf8',
    legalComments: 'none'
  })
  // A second minifier: its shorter names, more often the same, take 80 bytes off the client after gzip.
  return minify_sync(outputFiles[0]!.text, {
    module: true,
    compress: { passes: 3, ecma: 2020, sequences: false, unsafe_arrows: true },
    format: { ecma: 2020 }
  }).code!
}

/** What a browser downloads, in bytes. */
export const gzipSize = (code: string): number => gzipSync(code, { level: 9 }).length

/**
 * Writes `client.js` and `pino.js` into the folder. @returns a line for people
 * @throws Error where the client has become too large
 */
export function writeModules(folder: string, limit = MAX_GZIP): string {
  mkdirSync(folder, { recursive: true })
  const client = bundle('client')
  writeFileSync(join(folder, 'client.js'), client)
  writeFileSync(join(folder, 'pino.js'), bundle('pino'))
  const size = gzipSize(client)
  const line = `client.js: ${size} bytes gzipped, to stay under ${limit}`
  if (size >= limit) throw new Error(line)
  return line
}
