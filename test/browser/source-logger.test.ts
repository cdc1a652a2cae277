import t from 'tap'
import { startBrowser } from './page.js'

t.test('what becomes of what the page logs', async t => {
  const { standIn, open } = await startBrowser(t)
  const sent = () => standIn.requests.flatMap(({ entries }) => entries)

  t.test('levels, bound fields and errors', async t => {
    const { log, createLogger } = await open(t)
    log.trace('a.b', { metadata: { cart: 7 } })
    log.warn('quota.low', 'only 3 left')
    log.error('upload.failed', new RangeError('out'))
    const cart = log.child({ context: { component: 'Cart', view: 1 }, tags: ['a'] })
    cart.info('one', { context: { view: 2 } })
    cart.child({ context: { row: 3 } }).fatal('two')
    await log.flush()
    t.match(sent(), [
      { action: 'a.b', level: 'trace', metadata: { cart: 7 }, clientTimestamp: /^\d{4}-.*Z$/ },
      { level: 'warn', message: 'only 3 left' },
      { message: 'out', metadata: { error: { name: 'RangeError', stack: /RangeError/ } } },
      { context: { component: 'Cart', view: 2 }, tags: ['a'] },
      { level: 'fatal', context: { component: 'Cart', view: 1, row: 3 } }
    ])
    const warn = createLogger({ level: 'warn' })
    warn.info('no')
    warn.warn('yes')
    await warn.flush()
    t.equal(sent().at(-1)?.action, 'yes')
    t.equal(sent().length, 6)
  })

  t.test('whatever it is, it is copied as far as that goes', async t => {
    const { log, dropped } = await open(t)
    const circle: Record<string, unknown> = { name: 'circle' }
    circle.self = circle
    const broken = {
      get field() {
        throw new Error('broken')
      }
    }
    const many = Array.from({ length: 2000 }, (_, n) => n)
    const metadata = { circle, broken, big: 10n, date: new Date(0), long: 'x'.repeat(5000), many, run() {}, none: null }
    log.info('hostile', { metadata })
    log.info(Object.create(null), 'no text')
    await log.flush()
    const [entry] = sent() as unknown as { metadata: Record<string, unknown> }[]
    t.match(entry?.metadata, {
      circle: { self: { self: { name: 'circle' } } },
      broken: { field: '[...]' },
      big: '10',
      date: '1970-01-01T00:00:00.000Z',
      long: 'x'.repeat(4000)
    })
    t.ok((entry!.metadata.many as number[]).length < 1000)
    t.same(dropped, ['invalid'], 'what cannot be made at all is told')
  })

  t.test('batches by count, by bytes, and by time; what is too large or too much is given up', async t => {
    const { log, createLogger, dropped } = await open(t)
    const byCount = createLogger({ batchSize: 3, flushInterval: 1e6 })
    for (let n = 0; n < 7; n++) byCount.info('count')
    await standIn.until(() => sent().length === 7)
    t.same(
      standIn.requests.map(({ entries }) => entries.length),
      [3, 3, 1]
    )
    standIn.requests.length = 0
    for (let n = 0; n < 30; n++) log.info('bytes', { message: '\u00e9'.repeat(1500) })
    await log.flush()
    t.equal(standIn.requests.length, 2)
    t.ok(standIn.requests.every(({ bytes }) => bytes < 60_000))
    const byTime = createLogger({ flushInterval: 10 })
    byTime.info('time')
    await standIn.until(() => sent().at(-1)?.action === 'time')
    log.info('large', { metadata: Object.fromEntries(Array.from({ length: 30 }, (_, i) => [i, 'x'.repeat(4000)])) })
    t.same(dropped.splice(0), ['large size'])
    const much = createLogger({ batchSize: 1 })
    for (let n = 0; n < 210; n++) much.info(`much.${n}`)
    t.ok(dropped.length >= 5 && dropped.every(told => / overflow$/.test(told)), dropped.join())
    await much.flush()
  })

  t.test('an onDrop that throws, rejects or logs changes nothing', async t => {
    const { createLogger } = await open(t)
    const onDrops = [
      () => {
        throw new Error('thrown')
      },
      async () => {
        throw new Error('rejected')
      },
      () => log.info('dropped')
    ]
    let log = createLogger()
    for (const onDrop of onDrops) {
      log = createLogger({ onDrop })
      log.info(Object.create(null))
      log.info('goes on')
      await log.flush()
    }
    t.same(
      sent().map(({ action }) => action),
      ['goes on', 'goes on', 'goes on']
    )
  })

  t.test('what cannot be read is left out, of fields and of options', async t => {
    const { log, client } = await open(t)
    const { proxy, revoke } = Proxy.revocable({}, {})
    revoke()
    log.child(proxy).info('child')
    const other = client.createLogger({
      get level(): 'none' {
        throw new Error('hostile')
      }
    })
    other.info('other', proxy)
    await Promise.all([log.flush(), other.flush()])
    t.same(
      sent()
        .map(({ action }) => action)
        .sort(),
      ['child', 'other']
    )
  })

  t.test('without options, and where there is no page', async t => {
    const { client } = await open(t)
    const log = client.createLogger()
    log.info('plain')
    await log.flush()
    t.same(standIn.taken(), ['anna/plain'])
    t.intercept(globalThis, 'document' as never, { value: undefined })
    const nowhere = client.createLogger({ captureErrors: true })
    nowhere.info('nobody.hears')
    t.equal(await nowhere.flush(), undefined)
    t.equal(standIn.requests.length, 1)
  })

  t.test('an address that is none silences it', async t => {
    const page = await open(t)
    const { prototype } = EventTarget
    const listens = t.capture(prototype, 'addEventListener', prototype.addEventListener)
    for (const base of ['http://[', 5 as unknown as string]) {
      const log = page.createLogger({ base })
      log.info('nowhere')
      t.equal(await log.flush(), undefined)
    }
    t.equal(sent().length, 0)
    const types = listens().map(({ args: [type] }) => type)
    t.notOk(types.includes('visibilitychange'), 'whose listener would throw into the page')
  })
})
