import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../errors.js'

/** `navigator.sendBeacon` sends a string as text/plain, and cannot be told otherwise. */
const MEDIA_TYPES = new Set(['application/json', 'text/plain'])
const PLAIN = new Set(['application/json', 'application/json; charset=utf-8', 'text/plain;charset=UTF-8'])

/** RFC 9110, 5.6.6: a `;`, and perhaps a name with its value, as a token or a quoted string. */
const PARAMETER = /[ \t]*;[ \t]*(?:([!#$%&'*+.^_`|~\w-]+)=("(?:[^"\\]|\\.)*"|[!#$%&'*+.^_`|~\w-]+))?/y

/**
 * Is the body what it may be, by its headers: UTF-8 JSON as it is?
 * @throws HttpError `VALIDATION_INVALID_CONTENT_TYPE`, or `VALIDATION_EMPTY_BODY` where there is neither type nor body
 */
export function checkContent(headers: IncomingHttpHeaders): void {
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
    throw new HttpError('VALIDATION_INVALID_CONTENT_TYPE')
  }
  const type = headers['content-type']
  if (type === undefined) {
    const empty = headers['transfer-encoding'] === undefined && Number(headers['content-length'] ?? 0) === 0
    throw new HttpError(empty ? 'VALIDATION_EMPTY_BODY' : 'VALIDATION_INVALID_CONTENT_TYPE')
  }
  if (PLAIN.has(type)) return
  if (!isUtf8Json(type.trim().toLowerCase())) throw new HttpError('VALIDATION_INVALID_CONTENT_TYPE')
}

function isUtf8Json(type: string): boolean {
  const [media = ''] = type.split(';', 1)
  if (!MEDIA_TYPES.has(media.trim())) return false
  PARAMETER.lastIndex = media.length
  while (PARAMETER.lastIndex < type.length) {
    const found = PARAMETER.exec(type)
    if (found === null) return false
    const [, name = '', value = ''] = found
    // `charset*`: RFC 8187 would let it name one too, in a way that nobody reads
    if ((name === 'charset' || name === 'charset*') && !/^(?:utf-?8|"utf-?8")$/.test(value)) return false
  }
  return true
}
