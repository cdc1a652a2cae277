import { envSchema } from 'env-schema'
import type { ConfigFault } from './fault.js'
import { type Form, read } from './forms.js'
import { type Name, SCHEMA, takesFile, type Values, variable } from './schema.js'
import { ANNOTATIONS } from './variable.js'

interface AjvError {
  keyword: string
  instancePath: string
  message?: string
  params: { missingProperty?: string }
}

/**
 * Texts to values, by env-schema: defaults, forms and what is mandatory, all faults in one run. Values with a fault are
 * left out, so that what depends on several variables can still be checked for the rest.
 */
export function validate(
  texts: Readonly<Partial<Record<Name, string>>>,
  names: readonly Name[]
): { values: Partial<Values>; faults: ConfigFault[] } {
  // env-schema hands out its values only where all are well: `form` sees them, and keeps the object they are in.
  let values: Partial<Values> = {}
  const faults: ConfigFault[] = []
  try {
    envSchema({
      schema: schemaOf(names),
      // Not `env` and not `dotenv`: they read this process's environment and directory, and `data` would override both.
      env: false,
      data: { ...texts },
      ajv: {
        customOptions: ajv =>
          ajv.addVocabulary(ANNOTATIONS).addKeyword({
            keyword: 'form',
            modifying: true,
            compile: (form: Form) => {
              const check: ReturnType<typeof keyword> = keyword(form, all => {
                values = all
              })
              return check
            }
          })
      }
    })
  } catch (error) {
    const { errors } = error as { errors?: AjvError[] }
    if (!errors) throw error
    for (const fault of errors) faults.push(toFault(fault))
  }
  for (const { variable } of faults) delete values[variable as Name]
  return { values, faults }
}

/** A copy, for env-schema changes what it is given, of the part of the schema that is asked for. */
function schemaOf(names: readonly Name[]): object {
  const properties = Object.fromEntries(names.map(name => [name, structuredClone(variable(name))]))
  // Typebox counts a variable as required that is filled in later: for the type it is, for Ajv it is not.
  return { type: SCHEMA.type, required: names.filter(name => variable(name).mandatory), properties }
}

interface At {
  parentData: Record<string, unknown>
  parentDataProperty: string | number
}

function keyword(form: Form, keep: (all: Partial<Values>) => void) {
  const check = (input: unknown, at?: At): boolean => {
    const { parentData, parentDataProperty } = at as At
    const faults: { keyword: string; message: string }[] = []
    const name = parentDataProperty as Name
    const value = read(form, input as string, (must, part) =>
      faults.push({ keyword: 'form', message: `${must}${echo(name, input as string, part)}` })
    )
    parentData[name] = value
    keep(parentData as Partial<Values>)
    check.errors = faults
    return faults.length === 0
  }
  check.errors = [] as { keyword: string; message: string }[]
  return check
}

function toFault({ keyword, instancePath, message = '', params }: AjvError): ConfigFault {
  if (keyword !== 'required') return { variable: instancePath.slice(1), message }
  const missing = params.missingProperty as Name
  const [sentence] = variable(missing).description.split(/(?<=\.) /)
  return { variable: missing, message: `is required: ${sentence}` }
}

/**
 * Repeats what was written where that helps and cannot hurt: people put secrets into the wrong variable, too. Never what can
 * be given as a file: the wrong file may hold anything.
 */
function echo(name: Name, input: string, part = input): string {
  const service = /^(?:tcp|udp|sctp):\/\//.test(part)
    ? ' (Kubernetes sets it for a service of that name: `enableServiceLinks: false` keeps it out of a pod)'
    : ''
  const harmless = /^[\w .:/+,*%()-]{1,40}$/.test(part) && !/lt_|eyJ|[\w+-]{20,}/.test(part)
  if (takesFile(name) || !harmless) return service
  return `; it ${part === input ? 'is' : 'holds'} \`${part}\`${service}`
}
