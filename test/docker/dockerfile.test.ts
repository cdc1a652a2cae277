import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { ROOT } from './programs.js'

const text = readFileSync(`${ROOT}Dockerfile`, 'utf8')

interface Linter {
  validate(text: string): { message: string; range: { start: { line: number } } }[]
}
const name = 'dockerfile-utils'
const linter: Linter | undefined = await import(name).catch(() => undefined)

t.test('the linter', { skip: linter ? false : `${name} is not installed` }, async t => {
  const faults = (text: string) =>
    linter!.validate(text).map(({ message, range }) => `${range.start.line + 1}: ${message}`)
  t.same(faults(text), [])
  t.ok(faults(text.replace('ENTRYPOINT', 'ENTRIPOINT')).length > 0, 'it does find faults')
})

/** Instructions with their continuation lines, without comments. */
const instructions = text
  .replace(/^#.*\n/gm, '')
  .replace(/\\\n/g, ' ')
  .split('\n')
  .filter(line => line.trim() !== '')
  .map(line => /^([A-Z]+)\s+(.*)$/.exec(line)!.slice(1) as [string, string])

const of = (wanted: string) => instructions.filter(([word]) => word === wanted).map(([, rest]) => rest)

t.test('the base is one whole version; other stages build on it', async t => {
  const stages = new Set<string>()
  for (const from of of('FROM')) {
    const [, base, stage] = /^(\S+) AS (\S+)$/.exec(from) ?? []
    if (!stages.has(base!)) t.match(base, /^node:\d+\.\d+\.\d+-[a-z]+-slim(@sha256:[0-9a-f]{64})?$/)
    stages.add(stage!)
  }
  for (const [, stage] of text.matchAll(/--from=(\S+)/g)) t.ok(stages.has(stage!), stage!)
  t.match(of('FROM').at(-1)!, / AS sidecar$/, 'the last stage is what is built where none is named')
})

t.test('what the build takes is there, and let through by .dockerignore', async t => {
  const allowed = readFileSync(`${ROOT}.dockerignore`, 'utf8')
    .split('\n')
    .filter(line => line.startsWith('!'))
    .map(line => line.slice(1))
  for (const copy of of('COPY').filter(line => !line.startsWith('--from'))) {
    for (const path of copy.split(/\s+/).slice(0, -1)) {
      t.ok(existsSync(`${ROOT}${path}`), path)
      t.ok(
        allowed.some(one => path === one || path.startsWith(`${one}/`)),
        `${path} is let through`
      )
    }
  }
})

t.test('nothing is fetched but packages of the lock file, and none of their scripts runs', async t => {
  t.same(of('ADD'), [])
  for (const command of of('RUN')) {
    for (const one of command.split(/&&|;|\|/))
      t.notMatch(one.trim(), /^(curl|wget|apt|apt-get|npx|npm (i|install)|git)\b/)
    if (command.includes('npm ci')) t.match(command, '--ignore-scripts')
  }
  t.equal(of('RUN').filter(command => command.includes('npm ci')).length, 2)
})

t.test('no shell stands between an engine and node', async t => {
  for (const word of ['ENTRYPOINT', 'HEALTHCHECK']) {
    for (const rest of of(word)) {
      const list = rest.slice(rest.indexOf('['))
      t.equal(JSON.parse(list)[0], 'node', `${word} ${list}`)
    }
  }
  t.same(of('CMD'), [])
  for (const user of of('USER')) t.match(user, /^[1-9]\d*:[1-9]\d*$/)
  const last = instructions.slice(instructions.findLastIndex(([word]) => word === 'FROM'))
  t.ok(last.some(([word]) => word === 'USER'))
  t.ok(
    last.findIndex(([word]) => word === 'USER') > last.findLastIndex(([word]) => word === 'RUN' || word === 'COPY'),
    'files belong to root, so that the program cannot change them'
  )
})

t.test('no secret comes in by an argument or a variable', async t => {
  for (const name of [...of('ARG'), ...of('ENV')]) t.notMatch(name, /KEY|SECRET|TOKEN|PASSWORD/i)
})
