import { createMetrics, type Readings } from '../admin/metrics.js'
import { GROUPS, type Name, takesFile, variable } from '../config/schema.js'

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

/** The README's table of the metrics that are this program's own, by their help texts and labels. */
export async function metricsTable(): Promise<string> {
  // nothing is read but at a scrape
  const { registry } = createMetrics({} as Readings)
  const own = registry.getMetricsAsArray().filter(({ name }) => name.startsWith('logtrail_bff_'))
  const rows = own.map(metric => {
    const { labelNames = [] } = metric as unknown as { labelNames?: readonly string[] }
    const labels = labelNames.length > 0 ? `{${labelNames.join(',')}}` : ''
    return `| \`${metric.name}${labels}\` | ${metric.type} | ${metric.help} |`
  })
  return `${['| metric | type | meaning |', '| --- | --- | --- |', ...rows].join('\n')}\n`
}

/** A README with these tables in their places: between `<!-- variables -->` and `<!-- /variables -->`, and likewise `metrics`. */
export async function withTables(readme: string): Promise<string> {
  const tables = { variables: configTable(), metrics: await metricsTable() }
  let text = readme
  for (const [name, table] of Object.entries(tables)) {
    const place = new RegExp(`(<!-- ${name} -->\\n)[^]*?(<!-- /${name} -->)`)
    text = text.replace(place, (_all, begin, end) => `${begin}\n${table}\n${end}`)
  }
  return text
}
