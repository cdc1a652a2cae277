import pino, { type DestinationStream, type Logger } from 'pino'

/** Long enough that no ordinary word is masked by chance. */
const SHORTEST_SECRET = 6

export interface LoggerOptions {
  level: string
  /**
   * Every value that must never be seen in a log line; masked wherever it turns up, whatever put it there. Read for each
   * line: a set may grow.
   */
  secrets: Iterable<string>
  destination?: DestinationStream
}

/**
 * The program's logger: JSON lines to standard output. Errors are written by name, code, message, stack and cause
 * alone, since errors of HTTP clients carry requests, headers and so keys; and what still holds a secret is masked as
 * the line leaves.
 */
export function createLogger({ level, secrets, destination }: LoggerOptions): Logger {
  return pino(
    {
      level,
      base: undefined,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: label => ({ level: label }) },
      serializers: { err: describeError },
      hooks: { streamWrite: line => mask(line, secrets) }
    },
    destination ?? pino.destination({ dest: 1, sync: false })
  )
}

/** What of an error may be written, down its chain of causes. */
export function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return { message: typeof error === 'string' ? error : 'not an Error' }
  const { name, message, stack } = error
  const code = (error as { code?: unknown }).code
  return {
    type: name,
    ...(typeof code === 'string' ? { code } : {}),
    message,
    stack,
    ...(error.cause !== undefined && depth < 5 ? { cause: describeError(error.cause, depth + 1) } : {})
  }
}

/** Secrets as they stand, and as JSON writes them. The longest first: of one that begins with another nothing may stay. */
export function mask(line: string, secrets: Iterable<string>): string {
  let masked = line
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) {
    if (secret.length < SHORTEST_SECRET) break
    if (masked.includes(secret)) masked = masked.replaceAll(secret, '[SECRET]')
    const written = JSON.stringify(secret).slice(1, -1)
    if (written !== secret && masked.includes(written)) masked = masked.replaceAll(written, '[SECRET]')
  }
  return masked
}
