import { foldName } from './names.js'
import type { Rules } from './rules.js'
import { Entry, KNOWN } from './schema.js'

export interface RuleFault {
  variable: 'ALLOW_FIELDS' | 'DROP_FIELDS'
  message: string
}

const REQUIRED = new Set(Entry.required.map(foldName))

/** What is wrong with lists of names that the schema of the configuration cannot see. A reader passes over such names. */
export function ruleFaults({ allowFields, dropFields }: Pick<Rules, 'allowFields' | 'dropFields'>): RuleFault[] {
  const faults: RuleFault[] = []
  for (const name of allowFields) {
    const [first] = name.split('.', 1)
    const known = [...KNOWN].find(known => foldName(known) === foldName(first!))
    if (known === undefined) continue
    const message = `\`${name}\` could be read as \`${known}\`, which Logtrail's schema names: it is never let through beside it`
    faults.push({ variable: 'ALLOW_FIELDS', message })
  }
  for (const path of dropFields) {
    if (path.split('.').some(part => foldName(part) === '')) {
      faults.push({ variable: 'DROP_FIELDS', message: `\`${path}\` must be names joined by single dots` })
    } else if (path.split('.').includes('*')) {
      const message = `\`${path}\` must do without \`*\`: a path leads through every element of a list (\`metadata.items.price\`)`
      faults.push({ variable: 'DROP_FIELDS', message })
    } else if (REQUIRED.has(foldName(path))) {
      faults.push({ variable: 'DROP_FIELDS', message: `\`${path}\` must not be dropped: Logtrail requires it` })
    }
  }
  return faults
}
