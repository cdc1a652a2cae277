import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, createServer, type InlineConfig, type PluginOption, preview } from 'vite'

const PACKAGE = fileURLToPath(new URL('../../', import.meta.url))

/** Like `npm create vite`: the page, its script, and a compiler configuration that knows JSX. */
const SCAFFOLD = {
  'index.html': `<!doctype html>
<html lang="en">
  <head><meta charset="utf-8"><link rel="icon" href="data:,"><title>app</title></head>
  <body><div id="root"></div><div id="app"></div><script type="module" src="/start.ts"></script></body>
</html>`,
  'package.json': '{"type": "module"}',
  'tsconfig.json': `{"compilerOptions": {
    "target": "es2022", "module": "esnext", "moduleResolution": "bundler", "jsx": "react-jsx", "strict": true
  }}`
}

/** Writes the app's files into `folder`, and this package into its node_modules as npm would: what is published of it. */
export function writeApp(folder: string, files: Record<string, string>): void {
  for (const [name, text] of Object.entries({ ...SCAFFOLD, ...files })) {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  for (const part of ['package.json', 'dist/browser']) {
    cpSync(join(PACKAGE, part), join(folder, 'node_modules/logtrail-bff', part), { recursive: true })
  }
}

export interface Site {
  origin: string
  close(): Promise<void>
}

/** Serves the app with `/logtrail` passed on to the proxy: by Vite's dev server, or what Vite builds of it. */
export async function serve(
  folder: string,
  mode: 'dev' | 'build',
  proxy: string,
  plugins: PluginOption[]
): Promise<Site> {
  const listening = { host: '127.0.0.1', port: 0, proxy: { '/logtrail': proxy } }
  const config: InlineConfig = {
    root: folder,
    configFile: false,
    envFile: false,
    logLevel: 'error',
    clearScreen: false,
    plugins,
    server: { ...listening, hmr: false, watch: null },
    preview: listening
  }
  if (mode === 'build') await build(config)
  const server = mode === 'build' ? await preview(config) : await (await createServer(config)).listen()
  return { origin: server.resolvedUrls!.local[0]!.replace(/\/$/, ''), close: () => server.close() }
}
