import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from '../errors.js'

/** `navigator.sendBeacon` sends a string as text/plain, and cannot be told otherwise. */
const MEDIA_TYPES = new Set(['application/json', 'text/plain'])
const PLAIN = new Set(['application/json', 'application/json; charset=utf-8', 'text/plain;charset=UTF-8'])

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
  const [media, ...parameters] = type.split(';').map(part => part.trim().toLowerCase())
  if (!MEDIA_TYPES.has(media!)) throw new HttpError('VALIDATION_INVALID_CONTENT_TYPE')
  for (const parameter of parameters) {
    const [name, value] = parameter.split('=', 2)
    if (name === 'charset' && !/^"?utf-?8"?$/.test(value ?? '')) throw new HttpError('VALIDATION_INVALID_CONTENT_TYPE')
  }
}
