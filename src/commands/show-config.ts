import { configJson, printConfig } from '../config/print.js'
import { loadConfig } from '../config.js'
import { EXIT, type Io } from './io.js'

/**
 * Prints the effective configuration to standard output, warnings to standard error.
 * @throws ConfigError
 */
export async function showConfig(io: Io, json: boolean): Promise<number> {
  const config = loadConfig(io)
  for (const warning of config.warnings) io.err(`Warning: ${warning}\n`)
  io.out(json ? `${JSON.stringify(configJson(config), null, 2)}\n` : printConfig(config))
  return EXIT.WELL
}
