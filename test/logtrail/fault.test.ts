import t from 'tap'
import { asFault } from '../../src/logtrail/fault.js'

const error = (code: unknown, message: unknown = 'said') => Object.assign(new Error(), { code, message })
const none = () => false

t.test('what the network says becomes one of three kinds', async t => {
  const codes = {
    unreachable:
      'ECONNREFUSED ECONNRESET ECONNABORTED EHOSTUNREACH ENETUNREACH EADDRNOTAVAIL EPIPE ENOTFOUND EAI_AGAIN EPROTO ERR_TLS_CERT_ALTNAME_INVALID ERR_SSL_WRONG_VERSION_NUMBER CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT SELF_SIGNED_CERT_IN_CHAIN UNABLE_TO_VERIFY_LEAF_SIGNATURE UND_ERR_SOCKET UND_ERR_CLOSED UND_ERR_DESTROYED',
    timeout: 'UND_ERR_CONNECT_TIMEOUT UND_ERR_HEADERS_TIMEOUT UND_ERR_BODY_TIMEOUT ETIMEDOUT',
    broken: 'HPE_INVALID_CONSTANT UND_ERR_HEADERS_OVERFLOW UND_ERR_RES_CONTENT_LENGTH_MISMATCH UND_ERR_SOMETHING_NEW'
  }
  for (const [kind, names] of Object.entries(codes)) {
    for (const code of names.split(' ')) t.match(asFault(error(code), false, none), { kind, code, message: code }, code)
  }
  t.match(asFault(error('ECONNRESET'), true, none), { kind: 'broken' }, 'once it has begun to answer')
  t.match(asFault(error('UND_ERR_SOCKET', 'bad response'), false, none), { kind: 'broken' }, 'it was reached')
})

t.test('only a sentence passes: clean, short, and without a key', async t => {
  t.match(asFault(error('ECONNREFUSED', 'connect\r\nto \x1b[1m1.2.3.4'), false, none), {
    message: 'Logtrail cannot be reached (ECONNREFUSED: connect to [1m1.2.3.4)'
  })
  t.match(
    asFault(error('ECONNREFUSED', 'a hush b'), false, text => text.includes('hush')),
    {
      message: 'Logtrail cannot be reached (ECONNREFUSED)'
    }
  )
  t.match(asFault(error('EPIPE', 'x'.repeat(1000)), false, none), { message: /^.{1,260}$/ })
  for (const odd of [error(5, {}), error('not a code'), error(undefined, undefined), {}]) {
    t.match(asFault(odd, false, none), { kind: 'broken', code: 'UNKNOWN' })
  }
})
