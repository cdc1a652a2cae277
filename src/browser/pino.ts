import type { Fields, Level, Logger } from './logger.js'

/** What pino's browser build hands to `transmit.send` (its `LogEvent`). */
export interface PinoLogEvent {
  messages: unknown[]
  bindings: object[]
  level: { label: string; value: number }
}

export interface PinoTransmitOptions {
  /** pino's own option: the least level handed over. Default: the pino logger's. */
  level?: string
  /** The action of entries whose fields name none. Default `browser.log`. */
  action?: string
}

/** Custom levels of pino's count as the next one of Logtrail's below. */
const LEVELS: [number, Level][] = [
  [60, 'fatal'],
  [50, 'error'],
  [40, 'warn'],
  [30, 'info'],
  [20, 'debug']
]
/** Fields that an entry has at its top; any other goes to its metadata. */
const OWN = ['message', 'actor', 'target', 'context', 'tags', 'environment']

const isObject = (value: unknown): value is Record<string, unknown> => !!value && typeof value === 'object'

/** `%s` and its like, as pino does on a server; what is left over is appended. */
function format([text, ...values]: unknown[]): string {
  const filled = String(text).replace(/%[sdifoOjc%]/g, placeholder => {
    if (placeholder === '%%') return '%'
    if (values.length === 0) return placeholder
    const value = values.shift()
    return isObject(value) ? JSON.stringify(value) : String(value)
  })
  return [filled, ...values.filter(value => !isObject(value)).map(String)].join(' ')
}

/**
 * For pino's `browser.transmit`: `pino({ browser: { transmit: pinoTransmit(createLogger()) } })`. Objects, bindings of
 * child loggers included, are merged into the entry's metadata, but `action`, `tags`, `target`, `context` and `actor`,
 * which are the entry's own; texts become its message.
 */
export function pinoTransmit(log: Logger, { level, action = 'browser.log' }: PinoTransmitOptions = {}) {
  return {
    ...(level === undefined ? {} : { level }),
    send(_level: string, { messages, bindings, level: { value } }: PinoLogEvent): void {
      try {
        const entry: Fields = {}
        const metadata: Record<string, unknown> = {}
        let name = action
        const [first] = messages
        const error = isObject(first) && (first instanceof Error || 'stack' in first)
        for (const object of [...bindings, isObject(first) && !error ? first : {}]) {
          for (const [key, part] of Object.entries(object)) {
            if (key === 'action') name = String(part)
            else if (OWN.includes(key)) entry[key] = part
            else metadata[key] = part
          }
        }
        // As on a server, where pino logs an error as the field err.
        if (error) metadata.err = first
        const texts = isObject(first) ? messages.slice(1) : messages
        const said = first as { message?: unknown; msg?: unknown }
        if (texts.length > 0) entry.message = format(texts)
        else if (error) entry.message = String(said.message ?? said.msg)
        log[LEVELS.find(([least]) => value >= least)?.[1] ?? 'trace'](name, { ...entry, metadata })
      } catch {
        // A logger never throws into the page: this is an object that cannot be read.
      }
    }
  }
}
