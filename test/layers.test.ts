import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

/**
 * An entry's trip is the layout: a file imports from its own room and from rooms below it, and errors.ts. What is read
 * here is the sources themselves, types included: a type that points upwards is an arrow too.
 */
const SRC = fileURLToPath(new URL('../src', import.meta.url))

/** From the top. Rooms of one line do not know each other. */
const LAYERS = [
  ['build'],
  ['main'],
  ['commands'],
  ['app'],
  ['config'],
  ['admin', 'guard', 'session', 'entry'],
  ['delivery'],
  ['outbox'],
  ['logtrail'],
  ['errors']
]

/** Which room a file of src belongs to. The listener's file stands with the composition root: it too knows all rooms. */
const ROOMS: Record<string, string> = { 'public.ts': 'app' }
/** They belong to no room, know none, and may be asked by the upper ones. */
const ALONE = ['version.ts', 'bounded-map.ts', 'clock.ts']

const CONFIG_READERS = ['build', 'main', 'commands', 'app', 'config']
/** The config checks keys and field lists, and fills in plans: what is known of these, and nothing that is done by them. */
const CONFIG_READS = [
  ...['logtrail/key.ts', 'logtrail/plans.ts', 'session/key-material.ts'],
  ...['entry/schema.ts', 'entry/rules.ts', 'entry/rule-faults.ts']
]
const LINES = 300

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter(file => /\.[cm]?[jt]sx?$/.test(file) && !file.startsWith('browser/'))
  .sort()

function roomOf(file: string): string {
  const [first = ''] = file.split('/')
  return ROOMS[file] ?? first.replace(/\.ts$/, '')
}

function layerOf(file: string): number {
  return LAYERS.findIndex(rooms => rooms.includes(roomOf(file)))
}

/** Files of src that a file imports, by whatever form of import. */
function importsOf(file: string): string[] {
  const text = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
  const found = [...text.matchAll(/(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*['"](\.[^'"]*)['"]/g)]
  return found.map(([, path]) => {
    const target = resolve(dirname(join(SRC, file)), path!).replace(/\.js$/, '.ts')
    return relative(SRC, target)
  })
}

t.test('every file has its room', async t => {
  for (const file of files) if (!ALONE.includes(file)) t.not(layerOf(file), -1, file)
  t.ok(files.length > 50)
  t.ok(files.flatMap(importsOf).length > 100, 'and its imports are seen')
})

t.test('imports point downwards', async t => {
  for (const file of files) {
    for (const target of importsOf(file)) {
      const arrow = `${file} → ${target}`
      if (target.startsWith('..') || target.endsWith('.json')) {
        t.fail(`${arrow}: leaves src`)
        continue
      }
      if (roomOf(target) === 'errors' || ALONE.includes(target)) continue
      if (ALONE.includes(file)) t.fail(`${arrow}: it should know no room`)
      else if (roomOf(file) !== roomOf(target)) t.ok(layerOf(file) < layerOf(target), arrow)
    }
  }
})

t.test('the configuration is read at the top alone, and knows no room', async t => {
  for (const file of files) {
    for (const target of importsOf(file)) {
      if (roomOf(target) === 'config') t.ok(CONFIG_READERS.includes(roomOf(file)), `${file} → ${target}`)
      if (roomOf(file) === 'config' && roomOf(target) !== 'config') {
        t.ok(CONFIG_READS.includes(target) || target === 'errors.ts', `${file} → ${target}`)
      }
    }
  }
})

t.test('nothing imports in a circle', async t => {
  const done = new Set<string>()
  const visit = (file: string, path: string[]): void => {
    if (path.includes(file)) {
      // types alone may refer to each other: they are gone when it runs
      const circle = [...path.slice(path.indexOf(file)), file]
      if (circle.every((from, at) => at === circle.length - 1 || importsValue(from, circle[at + 1]!))) {
        t.fail(circle.join(' → '))
      }
      return
    }
    if (done.has(file)) return
    for (const target of importsOf(file)) if (files.includes(target)) visit(target, [...path, file])
    done.add(file)
  }
  for (const file of files) visit(file, [])
  t.equal(done.size, files.length)
})

function importsValue(file: string, target: string): boolean {
  const path = relative(dirname(file), target).replace(/\.ts$/, '.js')
  const spelled = path.startsWith('.') ? path : `./${path}`
  const text = readFileSync(join(SRC, file), 'utf8')
  return text
    .split(/^(?=import|export)/m)
    .some(statement => statement.includes(`'${spelled}'`) && !/^(import|export) type/.test(statement))
}

t.test('files have one reason to change, and a name that says which', async t => {
  for (const file of readdirSync(SRC, { recursive: true, encoding: 'utf8' })) {
    t.notMatch(file, /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.|$)/i, file)
    if (!/\.ts$/.test(file)) continue
    const text = readFileSync(join(SRC, file), 'utf8')
    const lines = text.split('\n').length - 1
    t.ok(lines <= LINES, `${file} has ${lines} lines`)
    t.notMatch(text, /^export default\b/m, `${file}: exports have names`)
    t.notMatch(
      text,
      /c8 ignore|istanbul ignore|v8 ignore|@ts-ignore|@ts-nocheck|biome-ignore-all/,
      `${file}: no blindness`
    )
  }
})
