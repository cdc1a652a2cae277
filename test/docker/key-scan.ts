import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseKey } from '../../src/logtrail/key.js'

/** Looks for text that could be somebody's key: in the files of the repository, and in what they once were. */

const SHAPE = /lt_(?:development|staging|production)_(?:wo|ro|rw)_[A-Za-z0-9_-]{12,}/g
const PRIVATE_KEY = /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----\s+(?:[A-Za-z0-9+/=]{16,}\s+){2,}/g

/**
 * Random parts made up for tests; none was ever issued. A new test takes `makeKey()`, or `T3stOnlyNeverIssued` and two digits
 * where it needs the same key every time.
 */
const MADE_UP = [
  /^T3stOnlyNeverIssued\d\d$/,
  // test/logtrail/client-keys.test.ts, test/entry/properties.test.ts, test/bench/contenders.ts, test/entry/browser-errors.ts
  /^(Xi5s9VdT8xRoU4cc|S3cretS3cret|0123456789abcdefBENCH|9f86d081884c7d65)$/,
  // test/admin/logger.test.ts, test/app/keys.test.ts
  /^(5eC9tY2LfQ1xVbN8|not_for_here_0123456789)$/,
  // once in test/app/crash.test.ts and test/review/built-redis.test.ts, and so for ever in the history
  /^(q7Kp2mX9vB4nR8sT1wZ5|Zq8Lm2Rx7Vn4Kc)$/
]

/** The key of the self-signed certificate for localhost in test/logtrail/certificate.ts, which guards nothing. */
const MADE_UP_PRIVATE_KEYS = new Set(['2d78645a61d5cf80'])

/** What of a text could be real: not what the proxy itself would refuse as a placeholder, and not what tests made up. */
export function findKeys(text: string): string[] {
  const keys = (text.match(SHAPE) ?? []).filter(key => {
    const random = key.split('_').slice(3).join('_')
    return isWhole(key) && looksRandom(random) && !MADE_UP.some(known => known.test(random))
  })
  const blocks = (text.match(PRIVATE_KEY) ?? []).map(block => block.trim())
  return [...new Set([...keys, ...blocks.filter(block => !MADE_UP_PRIVATE_KEYS.has(digest(block)))])]
}

const digest = (text: string): string =>
  createHash('sha256').update(text.replace(/\s+/g, ' ')).digest('hex').slice(0, 16)

function isWhole(key: string): boolean {
  try {
    parseKey(key)
    return true
  } catch {
    return false
  }
}

/** Not a few letters over and over, and not only words in lower case; of a thousand random parts two may seem so. */
const looksRandom = (random: string): boolean => new Set(random).size > 8 && /[0-9A-Z]/.test(random)

/** For a report that must not repeat what it found. */
export function masked(found: string): string {
  return `${found.slice(0, found.startsWith('lt_') ? found.split('_', 3).join('_').length : 20)}…`
}

/** Tracked files and those that could become it; without git all but what is made. */
export function filesOf(root: string): string[] {
  const git = spawnSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1e8
  })
  if (git.status === 0) return git.stdout.split('\0').filter(path => path !== '')
  const made = new Set(['node_modules', 'dist', '.tap', '.git', 'data'])
  const walk = (folder: string): string[] =>
    readdirSync(join(root, folder), { withFileTypes: true }).flatMap(entry => {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) return made.has(entry.name) ? [] : walk(path)
      return entry.isFile() ? [path] : []
    })
  return walk('.')
}

/** @returns `path: what it begins with` for each find */
export function scanFiles(root: string): string[] {
  return filesOf(root).flatMap(path => {
    let text: string
    try {
      text = readFileSync(join(root, path), 'utf8')
    } catch {
      // deleted, not committed yet
      return []
    }
    return findKeys(text).map(found => `${path}: ${masked(found)}`)
  })
}

/** Every line that any commit added: a key that was taken out again is known to whoever cloned. Undefined without git. */
export function scanHistory(root: string): string[] | undefined {
  const { status, stdout } = spawnSync('git', ['log', '--all', '-p', '-U0', '--no-color', '--format=commit %h'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 1e9
  })
  if (status !== 0) return undefined
  return stdout
    .replace(/^[+-]/gm, '')
    .split(/^commit /m)
    .slice(1)
    .flatMap(commit => findKeys(commit).map(found => `${commit.slice(0, commit.indexOf('\n'))}: ${masked(found)}`))
}
