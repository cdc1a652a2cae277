/** What is wrong with one variable and what would be right. Never holds a secret. */
export interface ConfigFault {
  variable: string
  message: string
}

/** A configuration that cannot be run: every fault of it at once, and names that are set and mean nothing, since one may be why. */
export class ConfigError extends Error {
  readonly faults: readonly ConfigFault[]

  constructor(faults: readonly ConfigFault[], unknown: readonly string[] = []) {
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
    const lines = faults.map(({ variable, message }) => `  ${variable} ${message}`)
    const also = unknown.map(line => `  ${line}`)
    super(
      [`The configuration is wrong, ${count}:`, ...lines, ...(also.length > 0 ? ['Also:', ...also] : [])].join('\n')
    )
    this.name = 'ConfigError'
    this.faults = faults
  }
}
