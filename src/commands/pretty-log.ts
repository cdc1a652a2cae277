import { createRequire } from 'node:module'
import pino, { type DestinationStream } from 'pino'
import { printable } from './io.js'

/**
 * Log lines for people, by pino's transport pino-pretty: a tool of development, and not there where only production's packages
 * are. Undefined then. What it is given is masked already.
 */
export function createPrettyLog(
  from = import.meta.url,
  destination: number | string = 1
): DestinationStream | undefined {
  const target = findPretty(from)
  if (target === undefined) return undefined
  const stream = pino.transport({ target, options: { translateTime: 'SYS:HH:MM:ss.l', destination } })
  return { write: line => void stream.write(harmless(line)) }
}

function findPretty(from: string): string | undefined {
  try {
    return createRequire(from).resolve('pino-pretty')
  } catch {
    return undefined
  }
}

/** JSON keeps foreign text from steering the terminal; lines for people are not JSON. */
function harmless(line: string): string {
  const all = JSON.parse(line, (_name, value) =>
    typeof value === 'string' ? value.split('\n').map(printable).join('\n') : value
  )
  return `${JSON.stringify(all)}\n`
}
