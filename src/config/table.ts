import { fileURLToPath } from 'node:url'
import { GROUPS, type Name, takesFile, variable } from './schema.js'

/** The README's tables of variables, in Markdown. */
export function configTable(): string {
  const tables = groups().map(({ title, names }) => {
    const rows = names.map(name => `| \`${name}\` | ${preset(name)} | ${meaning(name).replaceAll('|', '\\|')} |`)
    return [`### ${title}`, '', '| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n')
  })
  return `${tables.join('\n\n')}\n`
}

/** `.env.example`: every variable with its meaning, its default commented out. */
export function envExample(): string {
  const parts = groups().map(({ title, names }) => {
    const variables = names.map(name => `${wrap(meaning(name))}\n${assignment(name)}\n`)
    return [`# ---- ${title} ${'-'.repeat(100 - title.length)}\n`, ...variables].join('\n')
  })
  return `${INTRODUCTION}\n${parts.join('\n')}`
}

const INTRODUCTION = `# Copy this to .env, fill in the three that have no default, and keep it out of version control.
# The real environment wins over this file. An empty value counts as unset. Lists are separated by commas;
# durations take ms, s, m, h, d; sizes take kb, mb, gb.
`

function groups(): { title: string; names: Name[] }[] {
  return Object.entries(GROUPS).map(([title, variables]) => ({ title, names: Object.keys(variables) as Name[] }))
}

function meaning(name: Name): string {
  return `${variable(name).description}${takesFile(name) ? ` Also as a file: \`${name}_FILE\`.` : ''}`
}

function preset(name: Name): string {
  const { mandatory, otherwise, default: text } = variable(name)
  if (mandatory) return 'required'
  return otherwise ?? (text ? `\`${text}\`` : 'none')
}

function assignment(name: Name): string {
  const { mandatory, otherwise, default: text } = variable(name)
  if (mandatory) return `${name}=`
  return `#${name}=${text ?? ''}${otherwise ? `   (${otherwise.replaceAll('`', '')})` : ''}`
}

function wrap(text: string): string {
  return text.replace(/(.{1,108})(?: |$)/g, '# $1\n').trimEnd()
}

// `node --import tsx src/config/table.ts` prints the tables, with `--env` what `.env.example` holds.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.stdout.write(process.argv.includes('--env') ? envExample() : configTable())
}
