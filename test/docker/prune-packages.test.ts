import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { prunePackages } from '../../docker/prune-packages.js'
import { temporaryFolder } from './programs.js'

const LEFT = [
  'a/package.json',
  'a/index.js',
  'a/lib/tests/program.js',
  'a/lib/data.json',
  'a/LICENSE.md',
  'a/node_modules/nested/index.mjs',
  '@scope/b/index.cjs',
  '@scope/b/LICENCE',
  'native/prebuilds/linux-x64/native.node',
  'native/index.js',
  'unbuilt/prebuilds/darwin-x64+arm64/other.node',
  'unbuilt/deps/needed.js'
]
const GONE = [
  '.bin/a',
  'a/README.md',
  'a/index.d.ts',
  'a/index.js.map',
  'a/lib/deep/types.d.mts',
  'a/test/test.js',
  'a/.github/workflow.yml',
  'a/.eslintrc',
  'a/node_modules/nested/docs/index.html',
  '@scope/b/src/index.ts',
  'native/binding.gyp',
  'native/deps/leveldb/db.cc',
  'native/deps/leveldb/readme',
  'native/prebuilds/linux-x64/native.musl.node',
  'native/prebuilds/linux-arm64/native.node',
  'native/prebuilds/win32-x64/native.node'
]

t.test('takes out what no program reads, and counts it', async t => {
  const folder = temporaryFolder(t)
  for (const path of [...LEFT, ...GONE]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), '1234567890')
  }
  const { kept, removed } = prunePackages(folder, { platform: 'linux', arch: 'x64' })
  const there = (path: string) => existsSync(join(folder, path))
  const other = 'unbuilt/prebuilds/darwin-x64+arm64/other.node'
  for (const path of LEFT) t.equal(there(path), path !== other, path)
  t.ok(there('unbuilt/deps/needed.js'), 'sources of what was not built for this platform stay')
  for (const path of GONE) t.notOk(there(path), path)
  t.equal(kept, (LEFT.length - 1) * 10)
  // .bin is not counted: it holds links
  t.equal(removed, GONE.length * 10)
})

t.test('one binary for two processors', async t => {
  const folder = temporaryFolder(t)
  const path = join(folder, 'native/prebuilds/darwin-x64+arm64')
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'native.node'), '')
  prunePackages(folder, { platform: 'darwin', arch: 'arm64' })
  t.ok(existsSync(join(path, 'native.node')))
})

t.test('as the command that the Dockerfile runs', async t => {
  const folder = temporaryFolder(t)
  mkdirSync(join(folder, 'a'))
  writeFileSync(join(folder, 'a/index.js'), 'x'.repeat(1_500_000))
  writeFileSync(join(folder, 'a/README.md'), 'x'.repeat(200_000))
  const said: string[] = []
  const script = fileURLToPath(new URL('../../docker/prune-packages.ts', import.meta.url))
  await t.mockImport('../../docker/prune-packages.js', {
    'node:process': {
      argv: ['node', script, folder],
      platform: 'linux',
      arch: 'x64',
      stdout: { write: (text: string) => said.push(text) }
    }
  })
  t.same(said, [`${folder}: 1.5 MB kept, 0.2 MB removed\n`])
})
