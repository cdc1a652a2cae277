import t from 'tap'
import { claims, startBrowser } from './page.js'

t.test('what follows from an answer', async t => {
  const { standIn, open } = await startBrowser(t)
  const actions = (status: number) =>
    standIn.requests
      .filter(request => request.status === status)
      .flatMap(({ entries }) => entries.map(({ action }) => action))
  /** No wait after a failure. */
  t.beforeEach(t => void t.intercept(Math, 'random', { value: () => 0.5 / 1000 }))

  t.test('400: the entries that are named are given up, the others go again', async t => {
    standIn.answer = (_, entries) => {
      const at = entries.findIndex(({ action }) => action === 'bad')
      const errors = [{ log_index: at, field: 'action', message: 'is bad' }]
      return at < 0 ? undefined : { status: 400, body: { error_code: 'VALIDATION_FAILED', details: { errors } } }
    }
    const { log, dropped } = await open(t)
    for (const action of ['a', 'bad', 'b']) log.info(action)
    await log.flush()
    t.same(actions(201), ['a', 'b'])
    t.same(dropped.splice(0), ['bad refused 400'])
    log.info('bad')
    await log.flush()
    t.same(dropped, ['bad refused 400'])
  })

  t.test('400 that names nothing: by halves, until the one is alone; what is named elsewhere is not heard', async t => {
    standIn.answer = (_, entries) => (entries.some(({ action }) => action === 'bad') ? { status: 400 } : undefined)
    const { log, dropped, waiting } = await open(t)
    for (const action of ['a', 'b', 'bad', 'c'])
      log.info(action, { message: 'x'.repeat(3900), tags: ['y'.repeat(3900), 'z'.repeat(3900)] })
    await log.flush()
    await log.flush()
    t.same([actions(201), dropped, waiting()], [['a', 'b', 'c'], ['bad refused 400'], 0])
    const errors = [{ log_index: 0 }]
    standIn.answer = () => ({ status: 503, body: { details: { errors } } })
    log.info('kept')
    await log.flush()
    t.same([dropped.length, waiting()], [1, 1])
  })

  t.test('an answer without a body is one', async t => {
    standIn.answer = () => ({ status: 201, body: '' })
    const { log, dropped, waiting } = await open(t)
    log.info('a')
    await log.flush()
    t.same([dropped.length, waiting()], [0, 0])
  })

  t.test('201 with some refused', async t => {
    standIn.answer = () => ({
      status: 201,
      body: { accepted: 1, rejected: [{ log_index: 1, field: '', message: '' }] }
    })
    const { log, dropped } = await open(t)
    log.info('a')
    log.info('b')
    await log.flush()
    t.same(dropped, ['b refused 201'])
  })

  t.test('too much at once is halved, and after Logtrail named a limit it is kept to', async t => {
    standIn.answer = (_, entries) =>
      entries.length > 2 ? { status: 400, body: { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED' } } : undefined
    const { log, dropped } = await open(t)
    for (let n = 0; n < 4; n++) log.info(`few.${n}`)
    await log.flush()
    t.same(actions(201), ['few.0', 'few.1', 'few.2', 'few.3'])
    const before = standIn.requests.length
    for (let n = 0; n < 4; n++) log.info(`more.${n}`)
    await log.flush()
    t.equal(standIn.requests.length, before + 2)
    standIn.answer = (_, entries) => (entries.length > 1 ? { status: 413 } : undefined)
    for (let n = 0; n < 2; n++) log.info(`large.${n}`)
    await log.flush()
    t.same(actions(201).slice(-2), ['large.0', 'large.1'])
    t.same(dropped, [])
  })

  t.test('what is refused for good is given up; a page of HTML with a 200 is no answer', async t => {
    standIn.answer = () => ({ status: 403, body: { error_code: 'ORIGIN_FORBIDDEN', message: 'no' } })
    const { log, dropped, waiting } = await open(t)
    log.info('forbidden')
    await log.flush()
    t.same(dropped, ['forbidden refused 403'])
    standIn.answer = () => ({ status: 200, body: '<h1>Welcome to this network</h1>' })
    log.info('portal')
    await log.flush()
    t.equal(waiting(), 1)
    standIn.answer = () => undefined
    await log.flush()
    t.same(actions(201), ['portal'])
    t.equal(waiting(), 0)
  })

  t.test('a server that is away, or says so, is sent it when it is back', async t => {
    const { log, waiting, dropped } = await open(t)
    for (const [status, wait] of [
      [503, '0'],
      [502, ''],
      [429, '0']
    ] as const) {
      const body = status === 502 ? '<h1>Bad gateway</h1>' : {}
      standIn.answer = () => ({ status, headers: { 'retry-after': wait }, body })
      log.info(`during.${status}`)
      await log.flush()
    }
    await standIn.silence()
    log.info('during.silence')
    await log.flush()
    t.equal(waiting(), 4)
    await standIn.listen()
    standIn.answer = () => undefined
    await log.flush()
    t.same(actions(201), ['during.503', 'during.502', 'during.429', 'during.silence'])
    t.same([waiting(), dropped.length], [0, 0])
  })

  t.test('something in between that refuses to be asked who is signed in is not asked each second', async t => {
    standIn.answer = () => ({ status: 503 })
    const { log, storage } = await open(t)
    log.info('kept')
    await log.flush()
    for (const status of [400, 413]) {
      standIn.answer = () => ({ status, body: '<h1>No</h1>', foreign: true })
      const page = await open(t, { storage })
      t.intercept(Math, 'random', { value: () => 99 })
      const set = t.capture(globalThis, 'setTimeout', globalThis.setTimeout)
      await page.log.flush()
      t.match(standIn.requests.at(-1), { status, entries: [] })
      t.ok(Math.max(...set().map(({ args }) => args[1] ?? 0)) > 50_000, 'it waits as after any other failure')
      t.same([page.waiting(), page.dropped], [1, []])
    }
  })

  t.test('Retry-After is kept to by every page, in a hurry or not; then it goes by itself', async t => {
    standIn.answer = () => ({ status: 429, headers: { 'retry-after': '1' } })
    const { log, createLogger, storage } = await open(t, { indexedDB: claims({}) })
    log.info('limited')
    await log.flush()
    const [refused] = standIn.requests
    standIn.answer = () => undefined
    const other = createLogger()
    other.info('meanwhile')
    await other.flush()
    await log.flush()
    t.equal(standIn.requests.length, 1)
    await standIn.until(() => actions(201).length === 2)
    t.ok(standIn.requests[1]!.at - refused!.at >= 1000)
    t.ok(storage)
  })

  t.test('Retry-After beyond a month, as of a page that stands in for all: not kept to', async t => {
    const { log, waiting } = await open(t)
    for (const wait of ['Thu, 01 Jan 2099 00:00:00 GMT', '1e300']) {
      standIn.answer = () => ({ status: 503, headers: { 'retry-after': wait }, body: '<h1>Back soon</h1>' })
      log.info('meanwhile')
      await log.flush()
      t.equal(waiting(), 1)
      standIn.answer = () => undefined
      await log.flush()
      t.equal(waiting(), 0, wait)
    }
    standIn.answer = () => ({ status: 429, headers: { 'retry-after': `${31 * 86_400}` } })
    log.info('month.spent')
    await log.flush()
    const { length } = standIn.requests
    await log.flush()
    t.equal(standIn.requests.length, length, 'a month is')
  })

  t.test('of another origin: no content type that asks a preflight', async t => {
    standIn.allowedOrigins = ['https://app.example']
    const { log } = await open(t, { base: `${standIn.origin}/logtrail/`, href: 'https://app.example/' })
    log.info('foreign')
    await log.flush()
    t.match(standIn.requests, [{ type: /^text\/plain/, status: 201 }])
  })
})
