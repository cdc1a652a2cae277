import t from 'tap'
import { appPage, open, startApp } from './app.js'
import { skip } from './chromium.js'

t.test('the logger in a page', { skip }, async t => {
  const { standIn, profile } = await startApp(t)
  const context = await profile()
  const page = await open(context, standIn.origin)
  const errors: unknown[] = []
  page.on('pageerror', error => errors.push(error))
  page.on('console', message => message.type() === 'error' && errors.push(message.text()))
  t.beforeEach(() => {
    standIn.requests.length = 0
  })
  const sent = () => standIn.requests.flatMap(({ entries }) => entries)

  t.test('levels are methods; fields, time and user agent go along', async t => {
    const before = Date.now()
    await page.evaluate(`
      for (const level of ['trace', 'debug', 'info', 'warn', 'error', 'fatal']) log[level]('test.' + level, { message: level })
      log.info('checkout.paid', { message: 'paid', tags: ['shop'], metadata: { cart: 7 }, target: { id: 1 } })
      log.flush()`)
    t.equal(standIn.requests.length, 1)
    t.match(
      sent().slice(0, 6),
      ['trace', 'debug', 'info', 'warn', 'error', 'fatal'].map(level => ({
        action: `test.${level}`,
        level,
        message: level
      }))
    )
    t.match(sent()[6], { action: 'checkout.paid', metadata: { cart: 7 }, tags: ['shop'], target: { id: 1 } })
    for (const { clientTimestamp } of sent()) {
      t.match(clientTimestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
      t.ok(Math.abs(Date.parse(clientTimestamp) - before) < 5000)
    }
  })

  t.test('the time is by the clock of the machine, whatever the page has made of Date.now', async t => {
    await page.evaluate(`{
      const { now } = Date
      Date.now = () => 0
      log.info('clock')
      Date.now = now
      log.flush()
    }`)
    t.ok(Math.abs(Date.parse(sent()[0]!.clientTimestamp) - Date.now()) < 5000)
  })

  t.test('an entry says what was true when it was logged', async t => {
    await page.evaluate(`{
      const cart = { items: 1 }
      log.info('cart', { metadata: cart })
      cart.items = 2
      log.flush()
    }`)
    t.match(sent(), [{ metadata: { items: 1 } }])
  })

  t.test('children carry bound fields, one level deep', async t => {
    await page.evaluate(`{
      const cart = log.child({ context: { component: 'Cart', view: 1 }, tags: ['a'] })
      cart.info('one', { context: { view: 2 } })
      cart.child({ context: { row: 3 }, tags: ['b'] }).warn('two')
      log.info('three')
      cart.flush()
    }`)
    t.match(sent(), [
      { action: 'one', context: { component: 'Cart', view: 2 }, tags: ['a'] },
      { action: 'two', level: 'warn', context: { component: 'Cart', view: 1, row: 3 }, tags: ['b'] },
      { action: 'three', context: undefined, tags: undefined }
    ])
  })

  t.test('nothing below the level is sent', async t => {
    await page.evaluate(`{
      const warn = createLogger({ level: 'warn' })
      warn.info('no'); warn.warn('yes'); warn.child({}).debug('no'); warn.fatal('yes')
      const none = createLogger({ level: 'none' })
      none.fatal('no')
      Promise.all([warn.flush(), none.flush()])
    }`)
    t.match(
      sent().map(({ action }) => action),
      ['yes', 'yes']
    )
  })

  t.test('batches by count, by bytes, and by time', async t => {
    await page.evaluate(`window.byCount = createLogger({ batchSize: 3, flushInterval: 1e6 })
      for (let i = 0; i < 7; i++) byCount.info('count')`)
    await standIn.until(() => sent().length === 7)
    t.same(
      standIn.requests.map(({ entries }) => entries.length),
      [3, 3, 1]
    )
    standIn.requests.length = 0
    await page.evaluate(`window.byBytes = createLogger({ flushInterval: 1e6 })
      for (let i = 0; i < 40; i++) byBytes.info('bytes', { message: '\u00e9'.repeat(1500) })`)
    await standIn.until(() => sent().length === 40)
    t.equal(standIn.requests.length, 3)
    for (const { bytes } of standIn.requests) t.ok(bytes < 60_000, `${bytes}`)
    standIn.requests.length = 0
    await page.evaluate(`window.byTime = createLogger({ flushInterval: 50 })
      byTime.info('time'); byTime.info('time')`)
    await standIn.until(() => sent().length === 2)
    t.equal(standIn.requests.length, 1)
  })

  t.test('a page that logs without a pause is sent no more often for it', async t => {
    await page.evaluate(`new Promise(done => {
      const steady = createLogger({ flushInterval: 400 })
      let left = 100
      const timer = setInterval(() => {
        steady.info('steady')
        if (--left === 0) done(clearInterval(timer), steady.flush())
      }, 10)
    })`)
    await standIn.until(() => sent().length === 100)
    t.ok(standIn.requests.length < 12, `${standIn.requests.length} requests`)
  })

  t.test('whatever the page hands over, nothing is thrown and the entry says what it can', async t => {
    await page.evaluate(`{
      const circle = { name: 'circle' }
      circle.self = circle
      const getter = { fine: 1, get broken() { throw new Error('getter') }, toJSON: undefined }
      log.info('hostile', { metadata: {
        circle, getter, big: 10n, symbol: Symbol('s'), fn() {}, date: new Date(0), map: new Map(), nan: NaN, nothing: undefined,
        node: document.documentElement, error: new TypeError('bad'), long: 'x'.repeat(1e6),
        json: { toJSON() { throw 1 } }, proxy: new Proxy({}, { get() { throw 2 }, ownKeys() { throw 3 } }),
        window
      } })
      log.info('text', 'just a text')
      log.error('error', new RangeError('out'))
      log.info('null', null); log.info('array', [1]); log.info('number', 5); log.info('fn', () => {})
      log.info(); log.info(Symbol('x')); log.info(Object.create(null)); log.info({ toString() { throw 4 } })
      log.child().info('child'); log.child(7).info('child'); log.child({ get a() { throw 5 } }).info('child')
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      const mute = Object.defineProperty(new Error(), 'message', { get() { throw 6 } })
      const textless = Object.assign(new Error(), { message: Object.create(null) })
      for (const bad of [proxy, mute, textless]) { log.child(bad).info('child'); log.info('bad', bad) }
      for (const bad of [null, 7, 'x', { batchSize: 'x', flushInterval: 'y', level: 'z', onDrop: 8, base: {} }, { base: 'http://' }])
        createLogger(bad).flush()
      createLogger({ base: 'http://' }).info('nowhere')
      log.flush()
    }`)
    await page.evaluate(`import('/logtrail/client.js').then(({ createLogger }) => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      for (const bad of [proxy, { get level() { throw 7 } }, { flushInterval: Symbol() }, { flushInterval: Object.create(null) }])
        createLogger(bad).flush()
    })`)
    const [hostile] = sent()
    t.match(hostile, {
      metadata: {
        circle: { name: 'circle', self: { name: 'circle' } },
        getter: { fine: 1, broken: '[...]' },
        big: '10',
        symbol: 'Symbol(s)',
        date: '1970-01-01T00:00:00.000Z',
        error: { name: 'TypeError', message: 'bad', stack: /TypeError: bad/ },
        long: 'x'.repeat(4000)
      }
    })
    t.match(
      sent().find(({ action }) => action === 'text'),
      { message: 'just a text' }
    )
    t.match(
      sent().find(({ action }) => action === 'error'),
      { message: 'out', metadata: { error: { name: 'RangeError' } } }
    )
    t.equal(sent().filter(({ action }) => action === 'child').length, 6)
    t.equal(sent().filter(({ action }) => action === 'bad').length, 3)
    t.same(await page.evaluate('dropped'), ['invalid', 'invalid'], 'what cannot be written is told')
  })

  t.test('where the app wrapped fetch before, to log requests, those of the logger are not logged', async t => {
    standIn.pages['/wrapped'] = `<script>{
      const { fetch } = window
      window.fetch = (...given) => { log.info('request'); return fetch(...given) }
    }</script>${appPage()}`
    const wrapped = await open(context, `${standIn.origin}/wrapped`)
    await wrapped.evaluate(`log.info('one'); log.flush()`)
    await wrapped.evaluate(`fetch('/').then(() => log.flush())`)
    await wrapped.evaluate('log.flush()')
    t.same(
      sent().map(({ action }) => action),
      ['one', 'request']
    )
    await wrapped.close()
  })

  t.test('an entry too large for any request is given up, and told', async t => {
    await page.evaluate(`dropped.length = 0
      log.info('large', { metadata: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i, 'x'.repeat(4000)])) })
      log.info('small')
      log.flush()`)
    t.match(sent(), [{ action: 'small' }])
    t.same(await page.evaluate('dropped'), ['large size'])
  })

  t.same(errors, [], 'nothing was thrown into the page or shown in its console')
})
