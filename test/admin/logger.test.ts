import t from 'tap'
import { errors as undici } from 'undici'
import { createLogger, describeError, mask } from '../../src/admin/logger.js'

const KEY = 'lt_production_wo_5eC9tY2LfQ1xVbN8'
const SECRET = 'a "quoted" secret\nof two lines, and \\ more'

function logger(level = 'trace', secrets: string[] = [KEY, SECRET]) {
  const lines: string[] = []
  const log = createLogger({ level, secrets, destination: { write: line => void lines.push(line) } })
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) }
}

t.test('JSON lines with a name for the level and a time people read', async t => {
  const { log, last } = logger()
  log.info({ n: 1 }, 'hello')
  t.match(last(), { level: 'info', n: 1, msg: 'hello', time: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ })
  t.notOk('pid' in last() || 'hostname' in last(), 'nothing of the machine')
})

t.test('no more than its level', async t => {
  const { log, lines } = logger('warn')
  log.info('quiet')
  log.warn('loud')
  t.equal(lines.length, 1)
})

t.test(
  'errors of HTTP clients carry the request; of them name, code, message, stack and cause are written',
  async t => {
    const { log, lines, last } = logger()
    const request = { headers: { 'x-api-key': KEY, cookie: 'session=s3ss10n' }, body: '{"password":"hunter2"}' }
    const errors = [
      Object.assign(new undici.ResponseError('Response status code 401', 401, { headers: request.headers as never }), {
        opts: request,
        body: request.body
      }),
      Object.assign(new undici.SocketError(`other side closed on ${KEY}`), { socket: request, request }),
      Object.assign(
        new TypeError('fetch failed', { cause: Object.assign(new Error(`x-api-key: ${KEY}`), { request }) }),
        {
          request
        }
      ),
      Object.assign(new AggregateError([new Error(KEY)], SECRET), { code: 'ECONNREFUSED', config: request })
    ]
    for (const err of errors) {
      log.error({ err }, 'failed')
      t.match(last().err, { type: err.name, message: String, stack: String })
    }
    t.equal(last().err.code, 'ECONNREFUSED')
    const written = lines.join('')
    for (const secret of [KEY, 'x-api-key": "', 's3ss10n', 'hunter2', 'quoted', 'two lines']) {
      t.notOk(written.includes(secret), secret)
    }
    t.equal(written.split('[SECRET]').length - 1 > 3, true, 'but where it was can be seen')
  }
)

t.test('whatever puts a secret into a line, it is masked as the line leaves', async t => {
  const { log, lines } = logger()
  log.trace(`the key is ${KEY}`)
  log.debug({ nested: { deep: [{ [KEY]: KEY }] } }, SECRET)
  log.info({ headers: { authorization: `ApiKey ${KEY}` }, url: `http://x/?k=${KEY}&again=${KEY}` })
  log.child({ key: KEY }).warn('as a binding')
  log.error(new Error(SECRET))
  log.fatal({ err: SECRET })
  const written = lines.join('')
  t.notOk(written.includes(KEY))
  t.notOk(written.includes('quoted'))
  t.equal(lines.length, 6)
  for (const line of lines) t.doesNotThrow(() => JSON.parse(line), 'and the line is JSON still')
})

t.test('new secrets are masked from the moment they are known', async t => {
  const secrets = [KEY]
  const { log, lines } = logger('info', secrets)
  secrets.push('lt_production_wo_another-one')
  log.info('lt_production_wo_another-one')
  t.notOk(lines.join('').includes('another-one'))
})

t.test('a secret that begins with another is masked whole', async t => {
  t.equal(
    mask('x secret-one-and-more y secret-one z', ['secret-one', 'secret-one-and-more']),
    'x [SECRET] y [SECRET] z'
  )
})

t.test('what is too short to be a secret is no word to be masked', async t => {
  t.equal(mask('{"level":"info"}', ['', 'info', 'level']), '{"level":"info"}')
})

t.test('errors as they are described', async t => {
  t.same(describeError('in words'), { message: 'in words' })
  t.same(describeError({ headers: { 'x-api-key': KEY } }), { message: 'not an Error' })
  t.same(describeError(undefined), { message: 'not an Error' })
  t.match(describeError(new Error('a', { cause: 'b' })), { message: 'a', cause: { message: 'b' } })
  t.notOk('code' in (describeError(Object.assign(new Error('a'), { code: 7 })) as object))
  const circular = new Error('round')
  circular.cause = circular
  t.ok(JSON.stringify(describeError(circular)).length < 20_000, 'a chain has an end')
})
