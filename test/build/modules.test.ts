import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import t from 'tap'
import { bundle, gzipSize, MAX_GZIP, writeModules } from '../../src/build/modules.js'

t.test('the module is small, has no dependency and names no other address', async t => {
  const code = bundle('client')
  t.ok(gzipSize(code) < MAX_GZIP, `${gzipSize(code)} bytes`)
  t.notMatch(code, /\bimport\b(?!\.meta)|require\(/)
  t.notMatch(code, /https?:\/\//)
  t.match(code, /export\{\w+ as createLogger\}/)
})

t.test('the build writes both modules, and fails over the limit', async t => {
  const folder = join(t.testdir(), 'dist')
  t.match(writeModules(folder), /^client\.js: \d+ bytes gzipped/)
  t.ok(existsSync(join(folder, 'client.js')))
  t.ok(existsSync(join(folder, 'pino.js')))
  t.throws(() => writeModules(folder, 1000), { message: /to stay under 1000/ })
})

t.test('on a server (an app rendered there imports it, too) it does nothing, and does not throw', async t => {
  const folder = t.testdir()
  writeModules(folder)
  const { createLogger } = await import(pathToFileURL(join(folder, 'client.js')).href)
  const log = createLogger({ captureErrors: true })
  log.info('nobody.hears')
  log.child({ context: { a: 1 } }).error('nobody.hears')
  t.equal(await log.flush(), undefined)
})
