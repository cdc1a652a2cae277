import type { buildConnector } from 'undici'

const BEGINS = 'HTTP/1.1 100'
const HEAD_ENDS = '\r\n\r\n'

/**
 * RFC 9110, section 15.2: a client must be able to read interim answers before the final one, even if it does not expect any.
 * undici reads 102 and 103, and ends the connection at a `100 Continue`, which some servers send unasked to every POST: the
 * entries are taken then, the 201 is lost, and they would be sent again without end. So such a head, which comes in a piece
 * of its own or at the beginning of one, is taken away before undici reads. Within a body no piece begins like that: line
 * ends are escaped in JSON.
 */
export function withoutContinue(connect: buildConnector.connector): buildConnector.connector {
  return (options, callback) =>
    connect(options, (...[error, socket]) => {
      if (error !== null) {
        callback(error, null)
        return
      }
      const read = socket.read.bind(socket)
      socket.read = size => {
        let chunk: Buffer | null = read(size)
        while (chunk !== null && chunk.toString('latin1', 0, BEGINS.length) === BEGINS) {
          const end = chunk.indexOf(HEAD_ENDS)
          if (end < 0) break
          chunk = end + HEAD_ENDS.length < chunk.length ? chunk.subarray(end + HEAD_ENDS.length) : read(size)
        }
        return chunk
      }
      callback(null, socket)
    })
}
