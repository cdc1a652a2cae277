import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'
import { minify_sync } from 'terser'

/**
 * What the client must stay under on the wire, in bytes after this process' gzip: 3 KiB (interface, "The browser client") also by
 * the command `gzip -c`, which adds the file's name.
 */
export const MAX_GZIP = 3061

/**
 * Names between the client's parts, shortened; those of its interface, of entries and of the browser stay. Which letters
 * they are makes some 10 bytes: best are those that terser gives the variables, so that `{ recall }` stays that short.
 */
const INTERNAL = {
  recall: 's',
  read: 'f',
  remember: 'c',
  know: 'n',
  putAside: 'v',
  waiting: 'p',
  take: 'l',
  limit: 'r',
  leave: 'e',
  run: 't'
}

/** One of the browser's modules with all its parts as a single minified ES module. */
export function bundle(entry: 'client' | 'pino'): string {
  const { outputFiles } = buildSync({
    entryPoints: [fileURLToPath(new URL(`../browser/${entry}.ts`, import.meta.url))],
    bundle: true,
    minify: true,
    // The adapter's only names are its interface with pino.
    ...(entry === 'client'
      ? { mangleProps: new RegExp(`^(${Object.keys(INTERNAL).join('|')})$`), mangleCache: { ...INTERNAL } }
      : {}),
    write: false,
    format: 'esm',
    target: 'es2021',
    charset: 'utf8',
    legalComments: 'none'
  })
  // A second minifier: its shorter names, more often the same, take 80 bytes off the client after gzip. Nobody is handed any of
  // its booleans, so they may be 1 and 0.
  return minify_sync(outputFiles[0]!.text, {
    module: true,
    compress: { passes: 3, ecma: 2020, sequences: false, booleans_as_integers: true, unsafe_arrows: true },
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
