import t from 'tap'
import { appPage, open, startApp, stored, storedBecomes } from './app.js'
import { skip } from './chromium.js'

t.test('what follows from an answer', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  const context = await profile()
  let page = await open(context, standIn.origin)
  t.beforeEach(async () => {
    standIn.answer = () => undefined
    await page.close()
    await context.clearCookies()
    await context.addCookies([{ name: 'session', value: 'anna', url: standIn.origin }])
    page = await open(context, standIn.origin)
    await page.evaluate('localStorage.clear()')
    standIn.requests.length = 0
  })
  const actions = (status: number): string[] =>
    standIn.requests
      .filter(request => request.status === status)
      .flatMap(({ entries }) => entries.map(({ action }) => action))

  t.test('429: Retry-After is a minimum, also for the next page and for flush', async t => {
    standIn.answer = () => ({ status: 429, headers: { 'retry-after': '2' } })
    await page.evaluate(`log.info('limited'); log.flush()`)
    const [refused] = standIn.requests
    standIn.answer = () => undefined
    await page.evaluate(`log.info('meanwhile'); log.flush()`)
    await page.reload()
    await page.evaluate(`log.info('reloaded'); log.flush()`)
    t.equal(standIn.requests.length, 1, 'nothing before it is over')
    t.equal(await stored(page), 3)
    await standIn.until(() => actions(201).length === 3)
    const wait = standIn.requests[1]!.at - refused!.at
    t.ok(wait >= 2000 && wait < 6000, `${wait} ms`)
    t.same(actions(201), ['limited', 'meanwhile', 'reloaded'], 'in order')
  })

  t.test('Retry-After may be a date', async t => {
    const date = new Date(Date.now() + 4000).toUTCString()
    standIn.answer = () => ({ status: 503, headers: { 'retry-after': date } })
    await page.evaluate(`log.info('busy'); log.flush()`)
    standIn.answer = () => undefined
    await page.evaluate('log.flush()')
    await standIn.until(() => actions(201).length === 1)
    t.ok(standIn.requests[1]!.at >= Date.parse(date), 'nothing before')
  })

  t.test('a server that comes back is sent what waited, by itself', async t => {
    standIn.answer = () => ({ status: 503, body: '<h1>Bad gateway</h1>' })
    await page.evaluate(`log.info('during.503'); log.flush()`)
    await standIn.silence()
    await page.evaluate(`log.info('during.silence'); log.flush()`)
    standIn.answer = () => undefined
    await standIn.listen()
    await standIn.until(() => actions(201).length === 2)
    t.same(actions(201), ['during.503', 'during.silence'])
    t.same(await page.evaluate('dropped'), [])
    await storedBecomes(page, 0)
  })

  t.test('a server that only fails upstream is asked ever more rarely', async t => {
    standIn.answer = (_, entries) => (entries.length ? { status: 502 } : undefined)
    await page.evaluate(
      `{ const { random } = Math; Math.random = () => 1; log.info('upstream'); log.flush().then(() => { Math.random = random }) }`
    )
    const first = standIn.requests.length
    await standIn.until(({ requests }) => requests.length >= first + 2)
    const [failed, asked] = standIn.requests
    t.ok(asked!.at - failed!.at >= 950, 'no sooner than the backoff')
    t.equal(asked!.entries.length, 0, 'it is asked with nothing first')
  })

  t.test('400: just the named entries are dropped, and told; the rest is sent', async t => {
    standIn.answer = (_, entries) => {
      const errors = entries.flatMap(({ action }, log_index) =>
        action.startsWith('bad') ? [{ log_index, field: 'metadata', message: 'too deep' }] : []
      )
      return errors.length
        ? { status: 400, body: { error_code: 'VALIDATION_FAILED', details: { errors: errors.slice(0, 2) } } }
        : undefined
    }
    await page.evaluate(`for (const action of ['good.1', 'bad.1', 'bad.2', 'good.2', 'bad.3', 'good.3']) log.info(action)
      log.flush()`)
    t.same(actions(201), ['good.1', 'good.2', 'good.3'])
    t.same(await page.evaluate('dropped'), ['bad.1 refused 400', 'bad.2 refused 400', 'bad.3 refused 400'])
    t.equal(standIn.requests.length, 3)
  })

  for (const [whose, bad] of [
    ["Logtrail's", { status: 400, body: { error_code: 'VALIDATION_FAILED', message: 'Metadata is too deep.' } }],
    ["a gateway's", { status: 400, body: '<h1>Bad request</h1>', foreign: true }]
  ] as const) {
    t.test(`400 that names nothing, ${whose}: halved until just the one is given up, however large it is`, async t => {
      standIn.answer = (_, entries) => (entries.some(({ action }) => action === 'bad') ? bad : undefined)
      await page.evaluate(`for (let i = 0; i < 48; i++) log.info(i === 20 ? 'bad' : 'good.' + i, { message: 'x'.repeat(1000) })
        log.flush()`)
      await standIn.until(() => actions(201).length >= 47)
      t.equal(new Set(standIn.taken()).size, 47)
      t.ok(standIn.taken().every(taken => taken.startsWith('anna/good.')))
      t.same(await page.evaluate('dropped'), ['bad refused 400'])
      await storedBecomes(page, 0)
    })
  }

  t.test('400 whatever it is: all of it is given up in the end', async t => {
    standIn.answer = () => ({ status: 400, body: '<h1>Request header or cookie too large</h1>' })
    await page.evaluate(`log.info('one'); log.info('two'); log.flush()`)
    await page.waitForFunction('dropped.length === 2')
    t.same(await page.evaluate('dropped'), ['one refused 400', 'two refused 400'])
    await storedBecomes(page, 0)
  })

  t.test('names in another answer than a 400 or a 201 are not heard: nothing is both told and sent', async t => {
    const errors = [{ log_index: 0, field: 'level', message: 'unknown' }]
    standIn.answer = () => ({ status: 503, body: { details: { errors }, rejected: errors } })
    await page.evaluate(`log.info('kept'); log.flush()`)
    standIn.answer = () => undefined
    await page.evaluate('log.flush()')
    t.same(actions(201), ['kept'])
    t.same(await page.evaluate('dropped'), [])
  })

  t.test('201 that took a part: the rest is told', async t => {
    standIn.answer = () => ({
      status: 201,
      body: { accepted: 1, rejected: [{ log_index: 1, field: 'level', message: 'unknown' }, { log_index: 99 }, null] }
    })
    await page.evaluate(`log.info('taken'); log.info('refused'); log.flush()`)
    t.same(await page.evaluate('dropped'), ['refused refused 201'])
  })

  for (const body of ['', 'null', '5', '[]', '{"rejected":7}', '{"uuid":"x"}']) {
    t.test(`201 with ${body || 'nothing'} in it is delivered`, async t => {
      standIn.answer = () => ({ status: 201, body })
      await page.evaluate(`log.info('opaque'); log.flush()`)
      t.equal(standIn.requests.length, 1)
      t.equal(await stored(page), 0)
      t.same(await page.evaluate('dropped'), [])
    })
  }

  t.test('200 with a page of HTML, or a redirect to one, is not delivered', async t => {
    standIn.answer = () => ({ status: 200, headers: { 'content-type': 'text/html' }, body: '<h1>Welcome</h1>' })
    await page.evaluate(`log.info('html'); log.flush()`)
    t.equal(await stored(page), 1)
    standIn.answer = () => ({ status: 302, headers: { location: '/' } })
    await page.evaluate(`log.info('redirect'); log.flush()`)
    t.equal(await stored(page), 2)
    standIn.answer = () => undefined
    await page.evaluate('log.flush()')
    t.same(actions(201), ['html', 'redirect'])
  })

  t.test('413 and too long a bulk halve the batch until it fits; one alone is given up', async t => {
    standIn.answer = (_, entries) =>
      entries.some(({ action }) => action === 'giant')
        ? { status: 413, body: { error_code: 'BODY_TOO_LARGE' } }
        : entries.length > 3
          ? { status: 400, body: { error_code: 'VALIDATION_BULK_LIMIT_EXCEEDED', message: 'too many' } }
          : undefined
    await page.evaluate(`for (let i = 0; i < 10; i++) log.info(i === 4 ? 'giant' : 'small.' + i)
      log.flush()`)
    await standIn.until(() => actions(201).length === 9)
    t.same(
      actions(201),
      [0, 1, 2, 3, 5, 6, 7, 8, 9].map(i => `small.${i}`)
    )
    t.same(await page.evaluate('dropped'), ['giant refused 413'])
    standIn.requests.length = 0
    await page.evaluate(`for (let i = 0; i < 5; i++) log.info('next'); log.flush()`)
    t.same(
      standIn.requests.map(({ status, entries }) => [status, entries.length]),
      [
        [201, 2],
        [201, 2],
        [201, 1]
      ],
      'it has learnt'
    )
  })

  for (const status of [403, 404, 405, 415, 422]) {
    t.test(`${status}: given up and told, without a storm`, async t => {
      standIn.answer = () => ({ status, body: { message: 'no' } })
      await page.evaluate(`window.details = []
        window.other = createLogger({ onDrop: (entry, reason, detail) => details.push(detail) })
        other.info('no.way'); other.flush()`)
      t.match(await page.evaluate('details'), [{ status, message: 'no' }])
      t.equal(standIn.requests.length, 1)
      t.equal(await stored(page), 0)
    })
  }

  t.test('what onDrop logs, throws or rejects does not come back', async t => {
    standIn.answer = (_, entries) => (entries.some(({ action }) => action === 'loop') ? { status: 403 } : undefined)
    await page.evaluate(`window.seen = 0
      window.looping = createLogger({ captureErrors: true, flushInterval: 10, onDrop: async entry => {
        seen++
        looping.error('loop', { message: 'again' })
        throw new Error('onDrop')
      } })
      looping.info('loop'); looping.flush()`)
    await page.evaluate(`log.info('after'); log.flush()`)
    t.same(actions(201), ['after'])
    t.equal(await page.evaluate('looping.flush().then(() => seen)'), 1)
    t.equal(standIn.requests.length, 2)
  })

  t.test('what waits for more than a day, or is too much, is given up and told', async t => {
    await page.evaluate(`{
      const key = 'logtrail:' + location.origin + '/logtrail|'
      localStorage[key + (Date.now() - 25 * 36e5) + '|x'] = '?~other\\n{"action":"old"}'
      localStorage[key + (Date.now() - 23 * 36e5) + '|x'] = '?~other\\n{"action":"recent"}'
      log.flush()
    }`)
    t.same(await page.evaluate('dropped'), ['old expired'])
    t.same(actions(201), ['recent'])
    standIn.answer = () => ({ status: 503, headers: { 'retry-after': '1' } })
    await page.evaluate(`dropped.length = 0; log.info('a'); log.flush()`)
    await page.evaluate(`(async () => {
      for (let n = 0; n < 12; n++) {
        for (let i = 0; i < 30; i++) log.info('mass.' + n, { message: 'x'.repeat(3500) })
        await log.flush()
      }
    })()`)
    const size = await page.evaluate<number>(`Object.values(localStorage).join('').length`)
    t.ok(size > 900_000 && size < 1_001_000, `${size}`)
    const dropped = await page.evaluate<string[]>('dropped')
    t.ok(dropped.includes('a overflow'), 'the oldest of it')
    t.equal(dropped.length + (await stored(page)), 361, 'and nothing unseen')
  })

  t.test('storage denied, or full: what waits is in memory', async t => {
    for (const denied of [
      `Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError') } })`,
      `Object.defineProperty(window, 'localStorage', { value: null })`,
      `Object.defineProperty(window, 'localStorage', { value: new Proxy({}, { set() { throw new DOMException('full', 'QuotaExceededError') } }) })`,
      `delete Navigator.prototype.locks; Object.defineProperty(window, 'localStorage', { get() { throw 1 } })`
    ]) {
      standIn.requests.length = 0
      standIn.pages['/denied'] = `<script>${denied}</script>${appPage()}`
      const page = await open(context, `${standIn.origin}/denied`)
      standIn.answer = () => ({ status: 503 })
      await page.evaluate(`log.info('kept'); log.flush()`)
      standIn.answer = () => undefined
      await page.evaluate('log.flush()')
      t.same(actions(201), ['kept'])
      await page.close()
    }
  })
})
