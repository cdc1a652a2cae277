import { readdirSync } from 'node:fs'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t from 'tap'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))
/** What these do, they do as they are loaded: their own tests load them. */
const ENTRIES = ['main.ts', 'build/build.ts', 'build/docs.ts']

/**
 * A module that loads only after another has is a trap for whoever imports it next. And coverage is counted of what was
 * loaded: this is how a file without any test is found out.
 */
t.test('every module of src can be loaded', async t => {
  const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter(file => file.endsWith('.ts'))
  t.ok(files.length > 100)
  for (const file of files.filter(file => !ENTRIES.includes(file)))
    await t.resolves(import(pathToFileURL(SRC + file).href), file)
})
