import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { makeKey } from '../helper/logtrail/logtrail.js'
import { filesOf, findKeys, scanFiles, scanHistory } from './key-scan.js'
import { missing, ROOT, temporaryFolder } from './programs.js'

const KEY = makeKey('production', 'wo')
const { privateKey } = generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  publicKeyEncoding: { type: 'spki', format: 'pem' }
})

t.test('the repository holds no key', async t => {
  t.ok(filesOf(ROOT).includes('package.json'))
  t.same(scanFiles(ROOT), [])
})

t.test('nor did it ever', { skip: missing('git') }, async t => {
  const found = scanHistory(ROOT)
  if (found === undefined) return t.pass('this is no git repository')
  t.same(found, [])
})

t.test('what could be a key is found, wherever it stands', async t => {
  for (const environment of ['development', 'staging', 'production'] as const) {
    for (const type of ['wo', 'ro', 'rw'] as const) {
      const key = makeKey(environment, type)
      t.same(findKeys(`LOGTRAIL_API_KEY=${key}`), [key])
      t.same(findKeys(`{"key":"${key}","again":"${key}"}`), [key], 'once')
    }
  }
  t.match(findKeys(privateKey), [/^-----BEGIN PRIVATE KEY-----\s[^-]+$/])
  for (const text of [
    'lt_production_wo_your-random-part-here',
    'lt_production_wo_xxxxxxxxxxxxxxxx',
    'lt_production_wo_mine-mine-mine',
    'lt_production_wo_words-and-more-words',
    'lt_production_wo_',
    'lt_{environment}_{type}_{random}',
    'lt_staging_wo_T3stOnlyNeverIssued01',
    '-----BEGIN PRIVATE KEY-----',
    KEY.replace('_wo_', '_xx_')
  ]) {
    t.same(findKeys(text), [], text)
  }
})

t.test(
  'a key in a file, and one that was taken out again; the report repeats neither',
  { skip: missing('git') },
  async t => {
    const folder = temporaryFolder(t)
    const git = (...args: string[]) => {
      const config = ['-c', 'user.name=a', '-c', 'user.email=a@example.com', '-c', 'commit.gpgsign=false']
      t.equal(
        spawnSync('git', [...config, '-c', 'core.hooksPath=/dev/null', ...args], { cwd: folder }).status,
        0,
        args.join(' ')
      )
    }
    writeFileSync(`${folder}/notes.md`, `use ${KEY}\n`)
    t.same(scanFiles(folder), ['notes.md: lt_production_wo…'], 'without git too')
    t.equal(scanHistory(folder), undefined)
    git('init', '-q')
    t.same(scanFiles(folder), ['notes.md: lt_production_wo…'], 'not committed yet')
    git('add', '.')
    git('commit', '-qm', 'notes')
    rmSync(`${folder}/notes.md`)
    t.same(scanFiles(folder), [])
    git('commit', '-qam', 'no notes')
    const found = scanHistory(folder)!
    t.ok(found.length > 0 && found.every(one => /^[0-9a-f]{7,}: lt_production_wo…$/.test(one)))
  }
)
