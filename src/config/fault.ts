/** What is wrong with one variable and what would be right. Never holds a secret. */
export interface Fault {
  variable: string
  message: string
}

/** A configuration that cannot be run: every fault of it at once. */
export class ConfigError extends Error {
  readonly faults: readonly Fault[]

  constructor(faults: readonly Fault[]) {
    const count = faults.length === 1 ? 'one fault' : `${faults.length} faults`
    const lines = faults.map(({ variable, message }) => `  ${variable} ${message}`)
    super([`The configuration is wrong, ${count}:`, ...lines].join('\n'))
    this.name = 'ConfigError'
    this.faults = faults
  }
}
