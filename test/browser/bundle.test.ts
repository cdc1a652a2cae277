import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { bundle, gzipSize, MAX_GZIP } from '../../src/browser/bundle.js'

t.test('the module is small, has no dependency and names no other address', async t => {
  const code = bundle('client')
  t.ok(gzipSize(code) < MAX_GZIP, `${gzipSize(code)} bytes`)
  t.notMatch(code, /\bimport\b(?!\.meta)|require\(/)
  t.notMatch(code, /https?:\/\//)
  t.match(code, /export\{\w+ as createLogger\}/)
})

t.test('on a server (an app rendered there imports it, too) it does nothing, and does not throw', async t => {
  const file = join(mkdtempSync(join(tmpdir(), 'client-')), 'client.mjs')
  writeFileSync(file, bundle('client'))
  const { createLogger } = await import(pathToFileURL(file).href)
  const log = createLogger({ captureErrors: true })
  log.info('nobody.hears')
  log.child({ context: { a: 1 } }).error('nobody.hears')
  t.equal(await log.flush(), undefined)
})
