import { join, resolve } from 'node:path'
import { parseEnv } from 'node:util'
import type { ConfigFault } from './fault.js'
import { isBlank } from './forms.js'
import { NAMES, type Name, takesFile, variable } from './schema.js'

/** What a configuration is read from. `readFile` answers a file's text or throws as `fs.readFileSync` does. */
export interface Surroundings {
  env: Readonly<Record<string, string | undefined>>
  cwd: string
  readFile: (path: string) => string
}

/** Where a value came from. `plan`: filled from LOGTRAIL_PLAN; `key`: read off the API key. */
export type Source = 'default' | 'env' | '.env' | 'file' | 'plan' | 'key'

export interface Gathered {
  texts: Partial<Record<Name, string>>
  sources: Partial<Record<Name, Source>>
  /** Every name that is set, this program's or not, with its text. */
  everything: Readonly<Record<string, string>>
  /** The file LOGTRAIL_API_KEY was read from. */
  keyFile?: string
  /** Variables that are set but could not be read. */
  faults: ConfigFault[]
}

/**
 * The texts of the named variables: an empty value is none at all, a list of commas alone is empty, and `X_FILE` stands for `X`. The real environment wins
 * over `.env`, in whichever of the two forms each has it.
 */
export function gather(from: Surroundings, names: readonly Name[]): Gathered {
  const faults: ConfigFault[] = []
  const dotenv = present(readDotenv(from, faults))
  const env = present(from.env)
  const gathered: Gathered = { texts: {}, sources: {}, everything: { ...dotenv, ...env }, faults }
  for (const name of names) {
    const source = has(env, name) ? env : dotenv
    const path = pathOf(source, name)
    const text = source[name]
    if (path !== undefined && text !== undefined) {
      faults.push({ variable: name, message: `and ${name}_FILE are both set: keep one of them` })
    } else if (path !== undefined) {
      gatherFile(from, name, path.trim(), gathered)
    } else if (text !== undefined) {
      gathered.texts[name] = trimmed(name, text)
      gathered.sources[name] = source === env ? 'env' : '.env'
    }
  }
  return gathered
}

type Texts = Readonly<Record<string, string>>

function has(source: Texts, name: Name): boolean {
  return source[name] !== undefined || pathOf(source, name) !== undefined
}

function pathOf(source: Texts, name: Name): string | undefined {
  return takesFile(name) ? source[`${name}_FILE`] : undefined
}

/** A shared secret is taken to the byte: the app that signs with it has it from the same place. */
function trimmed(name: Name, text: string): string {
  return variable(name).form.kind === 'sharedSecret' ? text : text.trim()
}

function gatherFile(from: Surroundings, name: Name, path: string, gathered: Gathered): void {
  const { faults, texts, sources } = gathered
  const file = resolve(from.cwd, path)
  const shown = looksLikePath(path) ? ` \`${file}\`` : ''
  try {
    const text = withoutMark(from.readFile(file)).replace(/[\r\n]+$/, '')
    if (isBlank(variable(name).form, text)) {
      faults.push({
        variable: `${name}_FILE`,
        message: `must name a file that holds the value:${shown || ' it'} is empty`
      })
      return
    }
    texts[name] = trimmed(name, text)
    sources[name] = 'file'
    if (name === 'LOGTRAIL_API_KEY') gathered.keyFile = file
  } catch (error) {
    faults.push({
      variable: `${name}_FILE`,
      message: `must name a readable file:${shown || ' it'} is not (${codeOf(error)})`
    })
  }
}

function readDotenv({ cwd, readFile }: Surroundings, faults: ConfigFault[]): Record<string, string | undefined> {
  try {
    // editors on Windows begin a file with a byte order mark, which would become a part of the first name
    return parseEnv(withoutMark(readFile(join(cwd, '.env'))))
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') {
      faults.push({ variable: '.env', message: `must be readable where it exists: it is not (${codeOf(error)})` })
    }
    return {}
  }
}

function present(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const entries = Object.entries(env).filter((entry): entry is [string, string] => !isEmpty(...entry))
  return Object.fromEntries(entries)
}

function isEmpty(name: string, text = ''): boolean {
  return (NAMES as string[]).includes(name) ? isBlank(variable(name as Name).form, text) : text.trim() === ''
}

function withoutMark(text: string): string {
  return text.replace(/^\uFEFF/, '')
}

function codeOf(error: unknown): string {
  return String((error as NodeJS.ErrnoException).code ?? 'unreadable')
}

/**
 * A secret put into X_FILE by mistake is not to be repeated as the path that was not found. So only what begins as a path does
 * is one here, and not where a part of it is as long as a secret, by the measure of `echo`.
 */
function looksLikePath(path: string): boolean {
  return /^\.{0,2}\/[^\s=+]{1,200}$/.test(path) && !/lt_|eyJ|:\/\/|[\w+-]{20,}/.test(path)
}
