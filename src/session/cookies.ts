import { HttpError } from '../errors.js'

/** More chunks than fit into any server's header limit (they hold about 4 KB each). */
const MAX_CHUNKS = 32

export interface FoundCookie {
  /** As sent, without the quotes that RFC 6265 allows around it; chunks joined. Not decoded. */
  value: string
  /** The pairs it was made of, `name=value`, as sent: what another server would need to see the same session. */
  pairs: readonly string[]
}

/**
 * Finds one cookie, whole or in numbered chunks (`name.0` as Auth.js writes them, `name_0` as oauth2-proxy does).
 * Null when it is absent or empty, which is how some servers end a session.
 *
 * Whoever can set a cookie for a parent domain can add a second one of the same name, and servers differ in which they
 * take. Two that differ, a whole cookie beside chunks, chunks in both spellings, or a chunk that is missing, leave open who
 * is asking: SESSION_INVALID.
 */
export function findCookie(header: string, name: string): FoundCookie | null {
  let whole: string | undefined
  let wholePair = ''
  let chunks: string[] | undefined
  let chunkPairs: string[] | undefined
  let separator = ''
  const length = name.length

  for (let start = 0; start < header.length; ) {
    let end = header.indexOf(';', start)
    if (end === -1) end = header.length
    let from = start
    while (from < end && isSpace(header.charCodeAt(from))) from++
    start = end + 1
    if (!header.startsWith(name, from)) continue

    const after = header[from + length]
    if (after === '=') {
      const value = unquoted(header, from + length + 1, end)
      if (whole !== undefined && whole !== value) throw doubt('two cookies of its name differ')
      whole = value
      wholePair = header.slice(from, end).trimEnd()
      continue
    }
    if (after !== '.' && after !== '_') continue
    const equals = header.indexOf('=', from + length + 1)
    if (equals === -1 || equals > end) continue
    const digits = header.slice(from + length + 1, equals)
    // Not a chunk, but a cookie of another name: `session_id`, `session.sig`, `session_00`.
    if (!/^(?:0|[1-9]\d*)$/.test(digits)) continue
    if (separator !== '' && separator !== after) throw doubt('its chunks come in two spellings')
    separator = after
    const index = Number(digits)
    if (index >= MAX_CHUNKS) throw doubt('it has too many chunks')
    chunks ??= []
    chunkPairs ??= []
    const value = unquoted(header, equals + 1, end)
    if (chunks[index] !== undefined && chunks[index] !== value) throw doubt('two chunks of one number differ')
    chunks[index] = value
    chunkPairs[index] = header.slice(from, end).trimEnd()
  }

  if (chunks === undefined || chunkPairs === undefined) {
    return whole ? { value: whole, pairs: [wholePair] } : null
  }
  if (whole) throw doubt('it comes whole and in chunks')
  for (let index = 0; index < chunks.length; index++) {
    if (chunks[index] === undefined) throw doubt('a chunk is missing')
  }
  const value = chunks.join('')
  return value === '' ? null : { value, pairs: chunkPairs }
}

/** A cookie's value as the app wrote it before percent-encoding; SESSION_INVALID when the encoding is broken. */
export function decodeCookie(value: string): string {
  if (!value.includes('%')) return value
  try {
    return decodeURIComponent(value)
  } catch {
    throw doubt('its percent-encoding is broken')
  }
}

function unquoted(header: string, from: number, to: number): string {
  while (from < to && isSpace(header.charCodeAt(from))) from++
  while (from < to && isSpace(header.charCodeAt(to - 1))) to--
  if (to - from >= 2 && header[from] === '"' && header[to - 1] === '"') return header.slice(from + 1, to - 1)
  return header.slice(from, to)
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x09
}

function doubt(why: string): HttpError {
  return new HttpError('SESSION_INVALID', { cause: `session cookie: ${why}` })
}
