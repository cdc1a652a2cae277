import { mkdirSync, writeFileSync } from 'node:fs'
import { argv } from 'node:process'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { buildSync } from 'esbuild'

/** What the client may weigh on the wire (interface, "The browser client"), in bytes after gzip. */
export const MAX_GZIP = 3072

/** Names between the client's parts, shortened; those of its interface, of entries and of the browser stay. */
const INTERNAL = /^(recall|remember|put|holds|take|send|delay|limit|waiting|run)$/

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url))

/** One of this folder's modules with all its parts as a single minified ES module. */
export function bundle(entry: 'client' | 'pino'): string {
  const { outputFiles } = buildSync({
    entryPoints: [here(`./${entry}.ts`)],
    bundle: true,
    minify: true,
    ...(entry === 'client' ? { mangleProps: INTERNAL } : {}),
    write: false,
    format: 'esm',
    target: 'es2021',
    charset: 'utf8',
    legalComments: 'none'
  })
  return outputFiles[0]!.text
}

/** The size a browser downloads, in bytes. */
export const gzipSize = (code: string): number => gzipSync(code, { level: 9 }).length

if (argv[1] === fileURLToPath(import.meta.url)) {
  const dist = here('../../dist/browser/')
  mkdirSync(dist, { recursive: true })
  const client = bundle('client')
  writeFileSync(`${dist}client.js`, client)
  writeFileSync(`${dist}pino.js`, bundle('pino'))
  const size = gzipSize(client)
  console.log(`client.js: ${size} bytes gzipped (at most ${MAX_GZIP})`)
  if (size > MAX_GZIP) {
    console.error('client.js is too large')
    process.exitCode = 1
  }
}
