import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'

t.test('the build: a program that runs, and the browser client with its types', async t => {
  // Within the project, so that the packages that stay outside of the bundle are found, as they are beside dist/.
  const folder = t.testdir({ 'package.json': JSON.stringify({ type: 'module', version: '7.8.9' }), dist: { old: '' } })
  const dist = join(folder, 'dist')
  t.intercept(process, 'argv', { value: ['node', 'build.js', dist] })
  const said = t.capture(console, 'log')
  await import('../../src/build/build.js')

  t.match(said.args(), [[/^client\.js: \d+ bytes gzipped/]])
  t.strictSame(
    ['client.js', 'client.d.ts', 'pino.js', 'pino.d.ts', '../old'].filter(
      file => !existsSync(join(dist, 'browser', file))
    ),
    ['../old'],
    'what an earlier build left is gone'
  )
  const run = (...args: string[]) =>
    execFileSync(process.execPath, [join(dist, 'main.js'), ...args], { encoding: 'utf8', cwd: folder })
  t.equal(run('--version'), '7.8.9\n')
  t.match(run('--help'), /dead-letters/)
  t.ok(readdirSync(join(dist, 'parts')).length > 5, 'what a configuration does not use is not read')
})
