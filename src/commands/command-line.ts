import { parseArgs } from 'node:util'
import { ConfigError } from '../config.js'
import { VERSION } from '../version.js'
import type { DeadLetterFlags } from './dead-letters.js'
import type { DoctorFlags } from './doctor.js'
import { EXIT, type Io, UsageError } from './io.js'

const USAGE = `logtrail-bff: browser apps log to Logtrail without a key

  logtrail-bff [serve]              run the proxy
  logtrail-bff health               ask the running one's /healthz: for a container's HEALTHCHECK
  logtrail-bff doctor [--json]      check key, Logtrail, sessions, Redis, queue, clock, proxy trust: what to change
  logtrail-bff doctor --entry FILE  show what would become of an entry, or of a list of them
  logtrail-bff config [--json]      print the effective configuration, secrets masked
  logtrail-bff dead-letters list [--limit 100] [--after id] [--bodies] [--json]
  logtrail-bff dead-letters retry|purge id… | --all
                                    look after entries that Logtrail refused, beside a running proxy too
  logtrail-bff --help | --version

It is configured by the environment and by .env in the working directory: see the README.
Exit status: 0 well, 1 a fault, 64 unknown command or option, 78 wrong configuration.
`

type Options = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>
type Flags = Record<string, string | boolean | (string | boolean)[] | undefined>

interface Command {
  options?: Options
  /** Takes words after its name. */
  words?: true
  /** Resolves with the exit status; undefined: goes on running, and ends the process itself. */
  run(io: Io, flags: Flags, words: string[]): Promise<number | undefined>
}

// Each is loaded when it is wanted: a HEALTHCHECK every few seconds should not load the proxy.
const COMMANDS: Record<string, Command> = {
  serve: { run: async io => (await import('./serve.js')).serve(io) },
  health: { run: async io => (await import('./health.js')).health(io) },
  config: {
    options: { json: { type: 'boolean' } },
    run: async (io, { json }) => (await import('./show-config.js')).showConfig(io, json === true)
  },
  doctor: {
    options: { json: { type: 'boolean' }, entry: { type: 'string' } },
    run: async (io, flags) => (await import('./doctor.js')).doctor(io, flags as DoctorFlags)
  },
  'dead-letters': {
    options: {
      all: { type: 'boolean' },
      bodies: { type: 'boolean' },
      json: { type: 'boolean' },
      limit: { type: 'string' },
      after: { type: 'string' }
    },
    words: true,
    run: async (io, flags, words) =>
      (await import('./dead-letters.js')).deadLetters(io, flags as DeadLetterFlags, words)
  }
}

/** Runs what the command line asks for. Resolves with the exit status, or undefined where the process is to go on. */
export async function runCommand(args: readonly string[], io: Io): Promise<number | undefined> {
  const named = args[0] !== undefined && !args[0].startsWith('-')
  const name = named ? args[0]! : 'serve'
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (!command) return misused(io, `There is no command '${name}'.`)
  let parsed: { values: Flags; positionals: string[] }
  try {
    parsed = parseArgs({
      args: args.slice(named ? 1 : 0),
      allowPositionals: command.words === true,
      options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' }, ...command.options }
    })
  } catch (error) {
    return misused(io, (error as Error).message)
  }
  if (parsed.values.help) {
    io.out(USAGE)
    return EXIT.WELL
  }
  if (parsed.values.version) {
    io.out(`${VERSION}\n`)
    return EXIT.WELL
  }
  try {
    return await command.run(io, parsed.values, parsed.positionals)
  } catch (error) {
    if (error instanceof UsageError) return misused(io, error.message)
    if (!(error instanceof ConfigError)) throw error
    io.err(`${error.message}\n`)
    return EXIT.CONFIG
  }
}

function misused(io: Io, message: string): number {
  io.err(`${message}\n\n${USAGE}`)
  return EXIT.USAGE
}
